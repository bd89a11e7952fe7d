#include "prepare/working_folder.h"

#include <filesystem>

#include "core/error.h"
#include "cpython/literals.h"
#include "io/file_status.h"
#include "io/list_files.h"
#include "text/casing.h"
#include "text/tokenizer_file.h"

namespace bertha::prepare {

namespace fs = std::filesystem;

std::string WorkingFolder::dump() const {
  std::string file;
  for (const char* ending : {".xml", ".xml.zst", ".xml.xz", ".xml.gz", ".xml.bz2"}) {
    file = path(fmt::format("download/{0}/{0}{1}", kWiki, ending));
    if (io::exists(file)) break;
  }
  return file;
}

std::string WorkingFolder::vocabulary() const {
  return s_.vocab_file.empty()
             ? path(fmt::format("download/{}/uncased_L-24_H-1024_A-16/vocab.txt", kWeights))
             : s_.vocab_file;
}

std::vector<std::string> WorkingFolder::book_files() const {
  std::vector<std::string> files = io::list_files(books(), "", ".txt");
  if (files.empty()) {
    fail("{}: no books (.txt): their former sources are gone; put your own there, a file each",
         books());
  }
  return files;
}

std::string WorkingFolder::formatted(const std::string& dataset) const {
  return path(fmt::format("formatted_one_article_per_line/{}_one_{}_per_line.txt", dataset,
                          dataset == kBooks ? "book" : "article"));
}

std::string WorkingFolder::sharded() const {
  return path(fmt::format("sharded_training_shards_{}_test_shards_{}_fraction_{}/{}",
                          s_.shards.training, s_.shards.test, cpython::repr_float(s_.test_fraction),
                          s_.dataset));
}

bool WorkingFolder::lower_case() const {
  const bool option = s_.lower_case > 0;
  if (!lower_case_ && io::exists(vocabulary())) {
    const text::TokenizerFile file = text::load_tokenizer(vocabulary());
    lower_case_ = text::choose_casing(file, option, true).lower_case;
  }
  return lower_case_.value_or(option);
}

std::string WorkingFolder::hdf5_name(const Phase& phase) const {
  return fmt::format(
      "hdf5_lower_case_{}_seq_len_{}_max_pred_{}_masked_lm_prob_{}_random_seed_{}_dupe_factor_{}",
      lower_case() ? 1 : 0, phase.length, phase.predictions, cpython::repr_float(s_.masked_lm_prob),
      s_.random_seed, s_.dupe_factor);
}

std::string WorkingFolder::shards_manifest() const {
  return manifest(fs::path(sharded()).parent_path().filename().string() + "_" + s_.dataset);
}

}  // namespace bertha::prepare
