#include "prepare/text_stage.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "core/counted.h"
#include "core/error.h"
#include "corpus/documents.h"
#include "io/atomic_file.h"
#include "io/file_status.h"
#include "prepare/instances_stage.h"
#include "prepare/output_folder.h"
#include "prepare/shard_stage.h"
#include "text/word_counting.h"
#include "text/wordpiece_trainer.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDataset = "text";
constexpr int64_t kShardBytes = int64_t{16} << 20;
constexpr int64_t kMostShards = 256;

/// As many predictions as the recipe has: 20 of 128 tokens, 80 of 512.
int64_t predictions_of(int64_t length) {
  return length < 512 ? std::max<int64_t>(1, length * 20 / 128) : length * 80 / 512;
}

/// A vocabulary that the text can fill: rare pieces would hardly be trained.
int64_t vocabulary_size(const TextOptions& options, int64_t bytes) {
  if (options.vocab_size > 0) return options.vocab_size;
  if (bytes < int64_t{4} << 20) return 4000;
  if (bytes < int64_t{32} << 20) return 8000;
  return bytes < int64_t{256} << 20 ? 16000 : 30000;
}

void require_empty(const std::string& folder) {
  if (!io::exists(folder) || fs::is_empty(folder)) return;
  fail("{}: the folder is not empty; remove it, or give another --output-dir", folder);
}

/// Writes one document a line. Returns their number.
int64_t write_documents(const TextOptions& options, const std::string& path,
                        const ReportProgress& progress) {
  const std::vector<std::string> files = corpus::find_texts(options.paths);
  io::AtomicFile out(path);
  int64_t documents = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    corpus::read_documents(files[i], [&](const std::string& document) {
      const std::string line = document + "\n";
      out.write(std::as_bytes(std::span(line)));
      ++documents;
    });
    progress(static_cast<int64_t>(i) + 1, std::ssize(files));
  }
  if (documents < 2) {
    fail("{}: {} in {}; at least two are needed, one of them to be held out", options.paths.front(),
         counted(documents, "document"), counted(std::ssize(files), "file"));
  }
  out.commit();
  spdlog::info("{}: {} of {}", path, counted(documents, "document"),
               counted(std::ssize(files), "file"));
  return documents;
}

void make_vocabulary(const TextOptions& options, const std::string& documents,
                     const std::string& path) {
  if (!options.vocab_file.empty()) {
    io::write_file(path, std::string(io::MappedFile(options.vocab_file).text()));
    return;
  }
  const std::vector<std::string> files = {documents};
  const text::WordCounts words =
      text::count_words(files, !options.cased, text::TokenRules::kRecipe);
  text::TrainerOptions trainer;
  trainer.vocab_size = vocabulary_size(options, static_cast<int64_t>(fs::file_size(documents)));
  std::string contents;
  const std::vector<std::string> pieces = text::train_wordpieces(words, trainer);
  for (const std::string& piece : pieces) contents += piece + '\n';
  io::write_file(path, contents);
  spdlog::info("{}: {} from {}", path, counted(std::ssize(pieces), "piece"),
               counted(std::ssize(words.counts()), "different word"));
}

void make_text_shards(const TextOptions& options, const std::string& documents,
                      const std::string& folder, const ReportProgress& progress) {
  const auto bytes = static_cast<int64_t>(fs::file_size(documents));
  ShardOptions shard{{documents}, {}};
  shard.shards.output_dir = folder;
  shard.shards.dataset = kDataset;
  shard.shards.shards.training = std::clamp<int64_t>(bytes / kShardBytes, 1, kMostShards);
  shard.shards.shards.test = std::clamp<int64_t>(shard.shards.shards.training / 10, 1, kMostShards);
  shard.shards.test_fraction = options.test_fraction;
  shard.shards.threads = options.threads;
  check_options(shard.shards);
  spdlog::info("{}: {}", folder, describe(run_shard(shard, progress)));
}

void make_instances(const TextOptions& options, int64_t length, const TextResult& result,
                    const std::string& text, const OpenProgress& open_progress) {
  InstancesOptions instances;
  instances.vocab_file = result.vocabulary;
  instances.input = text;
  instances.output = result.shards.back();
  if (options.vocab_file.empty()) instances.lower_case = !options.cased;
  instances.threads = options.threads;
  instances.instances = {.max_seq_length = length,
                         .max_predictions_per_seq = predictions_of(length),
                         .dupe_factor = options.dupe_factor,
                         .masked_lm_prob = options.masked_lm_prob,
                         .random_seed = options.random_seed};
  make_output_folder(instances.output);
  const InstancesResult made =
      run_instances(instances, comm::alone(), open_progress("instances", "shards"));
  spdlog::info("{}: {}", instances.output, describe(made));
}

}  // namespace

TextResult run_text(const TextOptions& options, const OpenProgress& open_progress) {
  require_empty(options.output_dir);
  make_output_folder(options.output_dir);
  const std::string documents = options.output_dir + "/documents.txt";
  const std::string text = options.output_dir + "/text";
  TextResult result;
  result.vocabulary = options.output_dir + "/vocab.txt";
  write_documents(options, documents, open_progress("documents", "files"));
  make_vocabulary(options, documents, result.vocabulary);
  make_text_shards(options, documents, text, open_progress("shard", ""));
  for (const int64_t length : options.lengths) {
    result.shards.push_back(fmt::format("{}/shards_{}", options.output_dir, length));
    make_instances(options, length, result, text, open_progress);
  }
  return result;
}

}  // namespace bertha::prepare
