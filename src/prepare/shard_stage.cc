#include "prepare/shard_stage.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/counted.h"
#include "core/error.h"
#include "corpus/formatting.h"
#include "io/list_files.h"
#include "prepare/output_claim.h"
#include "prepare/output_folder.h"

namespace bertha::prepare {
namespace {

namespace fs = std::filesystem;

/// stream_shards() reads its sources once to count and once to write.
constexpr int64_t kStreamPasses = 2;

/// The dataset's shards that are in the folder.
std::vector<std::string> shards_there(const corpus::ShardOptions& options) {
  std::vector<std::string> shards;
  for (const char* kind : {"training", "test"}) {
    const std::string prefix = fmt::format("{}_{}_", options.dataset, kind);
    for (const std::string& file : io::list_files(options.output_dir, prefix, ".txt")) {
      const std::string name = fs::path(file).filename().string();
      const std::string number = name.substr(prefix.size(), name.size() - prefix.size() - 4);
      if (number.find_first_not_of("0123456789") == std::string::npos) shards.push_back(file);
    }
  }
  return shards;
}

/// A later stage reads all shards of the folder, so those of a larger run must go.
void remove_other_shards(const corpus::ShardOptions& options,
                         const std::vector<std::string>& made) {
  for (const std::string& file : shards_there(options)) {
    const fs::path name = fs::path(file).filename();
    const auto same = [&](const std::string& path) { return fs::path(path).filename() == name; };
    if (std::ranges::any_of(made, same)) continue;
    fs::remove(file);
    spdlog::info("{}: of an earlier run, removed", file);
  }
}

}  // namespace

void check_options(const corpus::ShardOptions& options) {
  constexpr int64_t kMost = 1'000'000;
  if (options.shards.training < 1 || options.shards.training > kMost) {
    fail("--n-training-shards {}: expected 1 to {}", options.shards.training, kMost);
  }
  if (options.shards.test < 0 || options.shards.test > kMost) {
    fail("--n-test-shards {}: expected 0 to {}", options.shards.test, kMost);
  }
  if (!(options.test_fraction >= 0 && options.test_fraction < 1)) {
    fail("--fraction-test-set {}: expected 0 or more, less than 1", options.test_fraction);
  }
}

void claim_shards(const ShardOptions& options, bool overwrite) {
  const corpus::ShardOptions& o = options.shards;
  const std::string pattern = o.dataset + "_*.txt";
  OutputClaim claim{.stage = "shard",
                    .folder = o.output_dir,
                    .outputs = {pattern},
                    .present = {},
                    .made_by = {{"text", describe_inputs(options.inputs)},
                                {"n_training_shards", fmt::format("{}", o.shards.training)},
                                {"n_test_shards", fmt::format("{}", o.shards.test)},
                                {"fraction_test_set", fmt::format("{}", o.test_fraction)}},
                    .option = "output-dir"};
  if (!shards_there(o).empty()) claim.present = {pattern};
  claim_outputs(claim, overwrite);
}

ShardResult run_shard(const ShardOptions& options, const ReportProgress& progress) {
  check_options(options.shards);
  make_output_folder(options.shards.output_dir);
  corpus::ShardOptions shards = options.shards;
  shards.progress = progress;
  ShardResult result{corpus::write_shards(options.inputs, shards), shards.shards};
  remove_other_shards(shards, result.totals.files);
  return result;
}

ShardResult run_stream(const StreamOptions& options, const ReportProgress& progress) {
  check_options(options.shards);
  make_output_folder(options.shards.output_dir);
  std::vector<corpus::DumpPart> dumps;
  corpus::ExtractOptions articles = options.extract.articles;
  for (const std::string& dump : options.extract.dumps) {
    dumps.push_back({dump, find_streams(dump, options.extract.index, articles.threads)});
  }
  int passes = 0;
  const auto open = [&] {
    if (progress) {
      articles.progress = [&progress, before = passes](int64_t done, int64_t total) {
        progress(before * total + done, kStreamPasses * total);
      };
    }
    ++passes;
    std::vector<std::unique_ptr<corpus::LineSource>> sources;
    if (!options.books.empty()) sources.push_back(corpus::stream_books(options.books));
    if (!dumps.empty()) sources.push_back(corpus::stream_articles(dumps, articles));
    return sources;
  };
  ShardResult result{corpus::stream_shards(open, options.shards), options.shards.shards};
  remove_other_shards(options.shards, result.totals.files);
  return result;
}

std::string describe(const ShardResult& result) {
  const corpus::ShardTotals& totals = result.totals;
  return fmt::format("{}, {} in {} training and {} test {}", counted(totals.articles, "article"),
                     counted(totals.sentences, "sentence"), totals.shards.training,
                     totals.shards.test, noun_for(totals.shards.test, "shard"));
}

void warn_of_fewer_shards(const ShardResult& result) {
  const corpus::ShardCounts& made = result.totals.shards;
  const corpus::ShardCounts& wanted = result.wanted;
  if (made.training == wanted.training && made.test == wanted.test) return;
  spdlog::warn("{} cannot fill {} training and {} test shards: {} and {} are made",
               counted(result.totals.articles, "article"), wanted.training, wanted.test,
               made.training, made.test);
}

}  // namespace bertha::prepare
