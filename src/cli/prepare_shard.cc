#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/prepare_stages.h"
#include "core/error.h"
#include "core/threads.h"
#include "corpus/sharding.h"
#include "io/atomic_file.h"
#include "runlog/work_meter.h"

namespace bertha::cli {
namespace {

/// Shards of a run that made more of them: whoever reads the folder would take them too.
void remove_other_shards(const corpus::ShardOptions& options,
                         const std::vector<std::string>& files) {
  for (const char* kind : {"training", "test"}) {
    const std::string prefix = fmt::format("{}_{}_", options.dataset, kind);
    for (const std::string& file : files_of(options.output_dir, prefix, ".txt")) {
      const std::string name = std::filesystem::path(file).filename().string();
      const std::string number = name.substr(prefix.size(), name.size() - prefix.size() - 4);
      if (number.find_first_not_of("0123456789") != std::string::npos) continue;
      const auto same = [&](const std::string& made) {
        return std::filesystem::path(made).filename() == name;
      };
      if (std::ranges::any_of(files, same)) continue;
      std::filesystem::remove(file);
      spdlog::info("{}: of an earlier run, removed", file);
    }
  }
}

}  // namespace

int prepare_shard(Arguments arguments) {
  std::vector<std::string> inputs;
  corpus::ShardOptions shard;
  shard.threads = thread_count();
  Options options(
      "bertha prepare shard",
      "Splits articles into sentences and distributes them over shards of equal numbers "
      "of sentences: one a line, a blank line behind each article.");
  options.values("input_files", inputs, "text files of one article a line").required();
  options.value("output_dir", shard.output_dir, "folder for the shards").required();
  options.value("dataset", shard.dataset, "leads the names: <dataset>_training_0.txt");
  options.value("n_training_shards", shard.shards.training, "shards for training");
  options.value("n_test_shards", shard.shards.test, "shards for tests");
  options.value("fraction_test_set", shard.test_fraction, "share of the sentences kept for tests");
  options.value("threads", shard.threads, "threads to use").alias("n_processes", "threads");
  if (!options.parse(arguments)) {
    fmt::print("{}", options.help());
    return 0;
  }
  check_shard_options(shard);
  make_folder(shard.output_dir);
  runlog::WorkMeter meter("shard");
  shard.progress = meter.report();
  const corpus::ShardTotals totals = corpus::write_shards(inputs, shard);
  meter.clear();
  remove_other_shards(shard, totals.files);
  fmt::print("{}: {}\n", shard.output_dir, describe(totals, shard));
  return 0;
}

std::vector<std::string> files_of(const std::string& folder, const std::string& prefix,
                                  const std::string& ending) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(ending)) files.push_back(entry->path().string());
  }
  std::ranges::sort(files);
  return files;
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) fail("{}: cannot make the folder: {}", path, error.message());
  io::remove_leftovers(path);
}

void check_shard_options(const corpus::ShardOptions& options) {
  constexpr int64_t kMost = 1'000'000;
  if (options.shards.training < 1 || options.shards.training > kMost) {
    fail("--n_training_shards {}: expected 1 to {}", options.shards.training, kMost);
  }
  if (options.shards.test < 0 || options.shards.test > kMost) {
    fail("--n_test_shards {}: expected 0 to {}", options.shards.test, kMost);
  }
  if (!(options.test_fraction >= 0 && options.test_fraction < 1)) {
    fail("--fraction_test_set {}: expected 0 or more, less than 1", options.test_fraction);
  }
  check_threads("threads", options.threads);
}

std::string describe(const corpus::ShardTotals& totals, const corpus::ShardOptions& options) {
  if (totals.shards.training != options.shards.training ||
      totals.shards.test != options.shards.test) {
    spdlog::warn("{} articles are too few for {} training and {} test shards: {} and {} are made",
                 totals.articles, options.shards.training, options.shards.test,
                 totals.shards.training, totals.shards.test);
  }
  return fmt::format("{} articles, {} sentences in {} training and {} test shards", totals.articles,
                     totals.sentences, totals.shards.training, totals.shards.test);
}

}  // namespace bertha::cli
