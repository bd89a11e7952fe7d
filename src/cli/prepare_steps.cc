#include "cli/prepare_steps.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <sstream>
#include <utility>

#include "cli/commands.h"
#include "cli/prepare_stages.h"
#include "core/error.h"
#include "corpus/extractor.h"
#include "corpus/formatting.h"
#include "cpython/literals.h"
#include "dataset/packing/pack_shards.h"
#include "runlog/dllogger.h"
#include "runlog/work_meter.h"
#include "text/vocabulary.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array kPhases = {Phase{128, 20}, Phase{512, 80}};

/// The folders of the recipe.
class Folders {
 public:
  explicit Folders(const PrepareSettings& settings) : s_(settings) {}

  std::string of(const std::string& name) const { return s_.root + "/" + name; }
  std::string manifest(const std::string& name) const { return of("manifests/" + name + ".json"); }
  /// What is there, or what a download would bring.
  std::string dump() const {
    std::string path;
    for (const char* ending : {".xml", ".xml.gz", ".xml.bz2"}) {
      path = of(fmt::format("download/{0}/{0}{1}", kWiki, ending));
      if (fs::exists(path)) break;
    }
    return path;
  }
  std::string vocabulary() const {
    return s_.vocab_file.empty()
               ? of(fmt::format("download/{}/uncased_L-24_H-1024_A-16/vocab.txt", kWeights))
               : s_.vocab_file;
  }
  std::string formatted(const std::string& dataset) const {
    return of(fmt::format("formatted_one_article_per_line/{}_one_{}_per_line.txt", dataset,
                          dataset == kBooks ? "book" : "article"));
  }
  std::string sharded(const std::string& dataset) const {
    return of(fmt::format("sharded_training_shards_{}_test_shards_{}_fraction_{}/{}",
                          s_.shards.training, s_.shards.test, cpython::repr_float(s_.test_fraction),
                          dataset));
  }
  std::string hdf5_name(const Phase& phase) const {
    return fmt::format(
        "hdf5_lower_case_{}_seq_len_{}_max_pred_{}_masked_lm_prob_{}_random_seed_{}_dupe_factor_{}",
        s_.lower_case, phase.length, phase.predictions, cpython::repr_float(s_.masked_lm_prob),
        s_.random_seed, s_.dupe_factor);
  }

 private:
  const PrepareSettings& s_;
};

/// Shards of an earlier run with other inputs.
void remove_files(const std::vector<std::string>& files) {
  for (const std::string& file : files) fs::remove(file);
}

std::string shards_manifest(const Folders& folders, const PrepareSettings& s) {
  return folders.manifest(fs::path(folders.sharded(s.dataset)).parent_path().filename().string() +
                          "_" + s.dataset);
}

/// Runs `bertha download`, which knows what is there already.
Step download_step(const PrepareSettings& s, const Folders& folders, const std::string& dataset) {
  if (dataset == kBooks) {
    fail("{}: the sources of its books are gone; put your own into {} (.txt, a file each)", kBooks,
         folders.of(std::string("download/") + kBooks));
  }
  if (dataset != kWiki && dataset != kWeights && dataset != kSquad) {
    fail("--dataset {}: expected {}, {} or {} to download", dataset, kWiki, kWeights, kSquad);
  }
  std::string folder = folders.of("download");
  if (dataset != kWiki) folder += "/" + dataset;
  const std::string name = dataset == kWiki      ? "wikipedia"
                           : dataset == kWeights ? "bert-large-uncased"
                                                 : "squad";
  std::vector<std::string> words = {name, "--output_dir=" + folder, "--mirror=" + s.mirror};
  Step step{{"download", s.root, "", {}, {}}, {}};
  step.run = [words, folder, name](comm::Communicator&) {
    if (run_download(words) != 0) fail("{}: the download failed", name);
    return Made{{}, {}, name + " in " + folder};
  };
  return step;
}

corpus::ExtractOptions extract_options(const PrepareSettings& s, const Folders& folders) {
  corpus::ExtractOptions options;
  options.output_dir = folders.of("extracted/") + kWiki;
  options.file_bytes = int64_t{100} << 20;
  options.threads = s.threads;
  options.allow_truncated = s.allow_truncated;
  options.wikitext.lists = corpus::parse_list_items(s.lists);
  return options;
}

std::map<std::string, std::string> extract_choices(const PrepareSettings& s) {
  return {{"lists", s.lists}, {"allow_truncated", s.allow_truncated ? "1" : "0"}};
}

void warn_of_damage(const std::string& dump, const std::string& damage) {
  if (!damage.empty()) spdlog::warn("{}: {}; its whole pages were taken", dump, damage);
}

Step extract_step(const PrepareSettings& s, const Folders& folders) {
  const std::string dump = folders.dump();
  corpus::ExtractOptions options = extract_options(s, folders);
  Step step{{"extract",
             s.root,
             folders.manifest(std::string("extract_") + kWiki),
             {dump},
             extract_choices(s)},
            {}};
  step.run = [dump, options](comm::Communicator&) mutable {
    options.streams = streams_of(dump, "", options.threads);
    runlog::WorkMeter meter("extract");
    options.progress = meter.report();
    const corpus::ExtractCounts counts = corpus::extract_dump(dump, options);
    meter.clear();
    if (!counts.damage.empty() && !options.allow_truncated) {
      fail("{}: {}; --allow_truncated takes its whole pages", dump, counts.damage);
    }
    warn_of_damage(dump, counts.damage);
    return Made{{{"pages", counts.dump.pages},
                 {"articles", counts.written},
                 {"without_prose", counts.without_prose},
                 {"redirects", counts.dump.redirects}},
                counts.files,
                fmt::format("{} articles of {} pages", counts.written, counts.dump.pages)};
  };
  return step;
}

/// The books of the working folder.
std::vector<std::string> book_files(const Folders& folders) {
  const std::string folder = folders.of(std::string("download/") + kBooks);
  std::vector<std::string> books = files_of(folder, "", ".txt");
  if (books.empty()) {
    fail("{}: no books (.txt): their former sources are gone; put your own there, a file each",
         folder);
  }
  return books;
}

Step format_step(const PrepareSettings& s, const Folders& folders, const std::string& dataset) {
  const bool books = dataset == kBooks;
  const std::string input = folders.of((books ? "download/" : "extracted/") + dataset);
  const std::string output = folders.formatted(dataset);
  Step step{{"format", s.root, folders.manifest("format_" + dataset), {}, {}}, {}};
  const std::string extracted = folders.manifest(std::string("extract_") + kWiki);
  if (books) {
    step.work.inputs = book_files(folders);
  } else if (s.skip_extractor == 0) {
    step.work.inputs = {extracted};
  }
  step.run = [=](comm::Communicator&) {
    make_folder(fs::path(output).parent_path().string());
    const corpus::FormatCounts counts =
        books ? corpus::format_books(input, output) : corpus::format_articles(input, output);
    return Made{{{"documents", counts.documents}, {"empty", counts.empty}},
                {output},
                fmt::format("{} {}", counts.documents, books ? "books" : "articles")};
  };
  return step;
}

std::vector<std::string> shard_inputs(const PrepareSettings& s, const Folders& folders) {
  std::vector<std::string> inputs;
  std::stringstream list(s.input_files);
  for (std::string file; std::getline(list, file, ',');) inputs.push_back(file);
  if (!inputs.empty()) return inputs;
  if (s.dataset != kWiki) inputs.push_back(folders.formatted(kBooks));
  if (s.dataset != kBooks) inputs.push_back(folders.formatted(kWiki));
  return inputs;
}

/// Makes the shards with `make`.
Step shard_step_of(const PrepareSettings& s, const Folders& folders,
                   std::function<corpus::ShardTotals(const corpus::ShardOptions&)> make) {
  const corpus::ShardOptions options{folders.sharded(s.dataset), s.dataset, s.shards,
                                     s.test_fraction, s.threads};
  check_shard_options(options);
  Step step{{"shard", s.root, shards_manifest(folders, s), {}, {}}, {}};
  step.run = [options, make = std::move(make)](comm::Communicator&) {
    make_folder(options.output_dir);
    remove_files(files_of(options.output_dir, options.dataset, ".txt"));
    const corpus::ShardTotals totals = make(options);
    return Made{{{"articles", totals.articles}, {"sentences", totals.sentences}},
                totals.files,
                describe(totals, options)};
  };
  return step;
}

Step shard_step(const PrepareSettings& s, const Folders& folders) {
  const std::vector<std::string> inputs = shard_inputs(s, folders);
  Step step = shard_step_of(s, folders, [inputs](corpus::ShardOptions options) {
    runlog::WorkMeter meter("shard");
    options.progress = meter.report();
    return corpus::write_shards(inputs, options);
  });
  step.work.inputs = inputs;
  return step;
}

/// stream_shards() reads its sources to count, then to write.
constexpr int64_t kStreamPasses = 2;

/// From the dump and the books, without the files of extract and format.
Step stream_step(const PrepareSettings& s, const Folders& folders) {
  const std::string dump = s.dataset == kBooks ? "" : folders.dump();
  const std::string books = s.dataset == kWiki ? "" : folders.of(std::string("download/") + kBooks);
  corpus::ExtractOptions extract = extract_options(s, folders);
  const auto make = [=](const corpus::ShardOptions& options) mutable {
    if (!dump.empty()) extract.streams = streams_of(dump, "", extract.threads);
    runlog::WorkMeter meter("shard");
    int passes = 0;
    const auto open = [&] {
      extract.progress = [&meter, before = passes++](int64_t done, int64_t total) {
        meter.update(before * total + done, kStreamPasses * total);
      };
      std::vector<std::unique_ptr<corpus::LineSource>> sources;
      if (!books.empty()) sources.push_back(corpus::stream_books(books));
      if (!dump.empty()) sources.push_back(corpus::stream_articles(dump, extract));
      return sources;
    };
    corpus::ShardTotals totals = corpus::stream_shards(open, options);
    meter.clear();
    warn_of_damage(dump, totals.damage);
    return totals;
  };
  Step step = shard_step_of(s, folders, make);
  if (!books.empty()) step.work.inputs = book_files(folders);
  if (!dump.empty()) step.work.inputs.push_back(dump);
  step.work.options = extract_choices(s);
  return step;
}

std::string hdf5_manifest(const PrepareSettings& s, const Folders& folders, const Phase& phase) {
  return folders.manifest(folders.hdf5_name(phase) + "_" + s.dataset);
}

Step instances_step(const PrepareSettings& s, const Folders& folders, const Phase& phase) {
  const std::string output = folders.of(folders.hdf5_name(phase) + "/" + s.dataset);
  const std::string vocabulary = folders.vocabulary();
  std::vector<std::string> words = {"--input_file=" + folders.sharded(s.dataset),
                                    "--output_file=" + output,
                                    "--vocab_file=" + vocabulary,
                                    fmt::format("--max_seq_length={}", phase.length),
                                    fmt::format("--max_predictions_per_seq={}", phase.predictions),
                                    fmt::format("--masked_lm_prob={}", s.masked_lm_prob),
                                    fmt::format("--random_seed={}", s.random_seed),
                                    fmt::format("--dupe_factor={}", s.dupe_factor),
                                    "--token_rules=" + s.token_rules,
                                    fmt::format("--threads={}", s.rank_threads),
                                    s.lower_case > 0 ? "--do_lower_case" : "--cased"};
  Step step{{"instances",
             s.root,
             hdf5_manifest(s, folders, phase),
             {shards_manifest(folders, s), vocabulary},
             {{"token_rules", s.token_rules}}},
            {}};
  step.by_all_ranks = true;
  step.run = [=, dataset = s.dataset](comm::Communicator& world) {
    if (world.leads()) {
      make_folder(output);
      remove_files(files_of(output, dataset, ".hdf5"));
    }
    world.wait_for_all(comm::Stage::kBarrier);
    prepare_instances(words, world);
    std::vector<std::string> files = files_of(output, dataset, ".hdf5");
    const auto shards = static_cast<int64_t>(files.size());
    return Made{{{"shards", shards}}, std::move(files), fmt::format("{} shards", shards)};
  };
  return step;
}

std::string packed_name(const Folders& folders, const Phase& phase) {
  return folders.hdf5_name(phase) + "_packed";
}

Step pack_step(const PrepareSettings& s, const Folders& folders, const Phase& phase) {
  const std::string output = folders.of(packed_name(folders, phase) + "/" + s.dataset);
  std::vector<std::string> words = {
      "--input_dir=" + folders.of(folders.hdf5_name(phase) + "/" + s.dataset),
      "--output_dir=" + output,
      fmt::format("--max_sequence_length={}", phase.length),
      fmt::format("--max_predictions_per_sequence={}", phase.predictions),
      fmt::format("--max_sequences_per_pack={}", s.sequences_per_pack),
      fmt::format("--threads={}", s.rank_threads),
      "--overwrite"};
  Step step{{"pack",
             s.root,
             folders.manifest(packed_name(folders, phase) + "_" + s.dataset),
             {hdf5_manifest(s, folders, phase)},
             {{"max_sequences_per_pack", std::to_string(s.sequences_per_pack)}}},
            {}};
  step.by_all_ranks = true;
  step.run = [=](comm::Communicator& world) {
    prepare_pack(words, world);
    std::vector<std::string> files = dataset::packed_files(output);
    const auto made = static_cast<int64_t>(files.size());
    files.push_back(dataset::packing_metadata_path(output));
    return Made{{{"files", made}}, std::move(files), fmt::format("{} files", made)};
  };
  return step;
}

/// Reads all rows of a folder of shards, of which `name` and the manifest's name tell.
Step verify_step(const PrepareSettings& s, const Folders& folders, const std::string& name,
                 const Phase& phase) {
  std::vector<std::string> words = {
      "--input_dir=" + folders.of(name + "/" + s.dataset),
      fmt::format("--max_predictions_per_sequence={}", phase.predictions),
      "--vocab_file=" + folders.vocabulary(), fmt::format("--threads={}", s.rank_threads)};
  Step step{{"verify",
             s.root,
             folders.manifest("verify_" + name + "_" + s.dataset),
             {folders.manifest(name + "_" + s.dataset), folders.vocabulary()},
             {}},
            {}};
  step.by_all_ranks = true;
  step.run = [words, name](comm::Communicator& world) {
    if (prepare_verify(words, world) != 0) fail("{}: not sound; the lines above say where", name);
    return Made{{}, {}, "sound"};
  };
  return step;
}

/// The text of the shards: from the dump and books to what the shard stage reads.
void add_text(const PrepareSettings& s, const Folders& folders, std::vector<Step>& steps) {
  if (s.dataset != kWiki) steps.push_back(format_step(s, folders, kBooks));
  if (s.dataset == kBooks) return;
  if (s.skip_extractor == 0) steps.push_back(extract_step(s, folders));
  steps.push_back(format_step(s, folders, kWiki));
}

void add_downloads(const PrepareSettings& s, const Folders& folders, std::vector<Step>& steps) {
  if (s.dataset != kBooks && s.skip_extractor == 0 && !fs::exists(folders.dump())) {
    steps.push_back(download_step(s, folders, kWiki));
  }
  if (!fs::exists(folders.vocabulary())) {
    if (!s.vocab_file.empty()) fail("{}: no vocabulary there", s.vocab_file);
    steps.push_back(download_step(s, folders, kWeights));
  }
}

/// Before anything that takes long.
void check_vocabulary(const std::string& path) {
  if (fs::exists(path)) text::Vocabulary::load(path).specials();
}

std::vector<Step> all_steps(const PrepareSettings& s, const Folders& folders) {
  std::vector<Step> steps;
  check_vocabulary(folders.vocabulary());
  add_downloads(s, folders, steps);
  if (s.stream) {
    steps.push_back(stream_step(s, folders));
  } else {
    add_text(s, folders, steps);
    steps.push_back(shard_step(s, folders));
  }
  for (const Phase& phase : kPhases) {
    steps.push_back(instances_step(s, folders, phase));
    steps.push_back(pack_step(s, folders, phase));
  }
  for (const Phase& phase : kPhases) {
    steps.push_back(verify_step(s, folders, folders.hdf5_name(phase), phase));
    steps.push_back(verify_step(s, folders, packed_name(folders, phase), phase));
  }
  return steps;
}

/// The phase that was asked for, or both.
std::vector<Phase> chosen_phases(const PrepareSettings& s) {
  if (s.max_seq_length) return {{*s.max_seq_length, s.max_predictions}};
  return {kPhases.begin(), kPhases.end()};
}

/// Of verify: the folders that have been made.
void add_checks(const PrepareSettings& s, const Folders& folders, std::vector<Step>& steps) {
  for (const Phase& phase : chosen_phases(s)) {
    for (const std::string& name : {folders.hdf5_name(phase), packed_name(folders, phase)}) {
      if (!fs::exists(folders.manifest(name + "_" + s.dataset))) continue;
      steps.push_back(verify_step(s, folders, name, phase));
      steps.back().always = true;
    }
  }
  if (steps.empty()) fail("{}: no finished HDF5 shards of {} to verify", s.root, s.dataset);
}

}  // namespace

std::vector<Step> plan_steps(const PrepareSettings& s) {
  const Folders folders(s);
  if (s.action.empty()) return all_steps(s, folders);
  std::vector<Step> steps;
  if (s.action == "download") {
    steps.push_back(download_step(s, folders, s.dataset));
  } else if (s.action == "text_formatting") {
    add_text(s, folders, steps);
  } else if (s.action == "sharding") {
    steps.push_back(s.stream ? stream_step(s, folders) : shard_step(s, folders));
  } else if (s.action == "create_hdf5_files") {
    const Phase phase{s.max_seq_length.value_or(512), s.max_predictions};
    steps.push_back(instances_step(s, folders, phase));
  } else if (s.action == "pack") {
    for (const Phase& phase : chosen_phases(s)) steps.push_back(pack_step(s, folders, phase));
  } else if (s.action == "verify") {
    add_checks(s, folders, steps);
  } else {
    fail(
        "--action {}: expected download, text_formatting, sharding, create_hdf5_files, pack or "
        "verify",
        s.action);
  }
  return steps;
}

}  // namespace bertha::cli
