#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include "cli/commands.h"
#include "cli/prepare_stages.h"
#include "cli/ranks.h"
#include "cli/stop.h"
#include "core/error.h"

namespace bertha::cli {
namespace {

struct Stage {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments, comm::Communicator&);
};

/// A stage that cannot be shared out: rank 0 runs it, the others wait.
template <int (*kStage)(Arguments)>
int on_one_rank(Arguments arguments, comm::Communicator& world) {
  const int status = world.leads() ? kStage(arguments) : 0;
  world.wait_for_all(comm::Stage::kBarrier);
  return status;
}

constexpr std::array kStages = {
    Stage{"extract", "a Wikipedia dump to plain articles, as WikiExtractor writes them",
          on_one_rank<prepare_extract>},
    Stage{"format", "articles or books to one line each", on_one_rank<prepare_format>},
    Stage{"shard", "sentences, in shards of equal numbers of them", on_one_rank<prepare_shard>},
    Stage{"instances", "text shards to HDF5: masked tokens and next-sentence pairs",
          prepare_instances},
    Stage{"pack", "several sequences a row, so that training spends little on padding",
          prepare_pack},
    Stage{"verify", "read all rows of all shards and check every field", prepare_verify},
};

std::string usage() {
  std::string text =
      "usage: bertha prepare [wiki_only | wiki_books] [options]\n"
      "       bertha prepare STAGE [options]\n\n"
      "Turns a dump and books into training data: all stages in turn under "
      "$BERT_PREP_WORKING_DIR\n(bertha prepare all --help), or one stage:\n\n";
  for (const Stage& stage : kStages)
    text += fmt::format("  {:<10} {}\n", stage.name, stage.summary);
  return text + "\nbertha prepare STAGE --help explains a stage and its options.\n";
}

int run_stage(Arguments arguments, comm::Communicator& world) {
  if (arguments.empty()) return prepare_all(arguments, world);
  const std::string& name = arguments.front();
  for (const Stage& stage : kStages) {
    if (stage.name == name) return stage.run(arguments.subspan(1), world);
  }
  return prepare_all(arguments.subspan(name == "all" ? 1 : 0), world);
}

}  // namespace

std::vector<size_t> own_of(size_t count, const comm::Communicator& world) {
  std::vector<size_t> own;
  const auto ranks = static_cast<size_t>(world.ranks());
  for (auto i = static_cast<size_t>(world.rank()); i < count; i += ranks) own.push_back(i);
  return own;
}

void check_threads(const char* name, int64_t threads) {
  constexpr int64_t kMost = 1024;
  if (threads < 1 || threads > kMost) fail("--{} {}: expected 1 to {}", name, threads, kMost);
}

text::TokenRules parse_token_rules(const std::string& name) {
  if (name == "recipe") return text::TokenRules::kRecipe;
  if (name == "hf") return text::TokenRules::kHf;
  fail("--token-rules \"{}\": expected recipe or hf", name);
}

void sum_counts(comm::Communicator& world, std::span<int64_t> counts) {
  world.wait_for_all(comm::Stage::kBarrier);
  std::vector<double> sums(counts.begin(), counts.end());  // whole numbers up to 2^53
  world.all_reduce(sums, comm::Stage::kMetrics);
  std::ranges::transform(sums, counts.begin(),
                         [](double sum) { return static_cast<int64_t>(sum); });
}

int run_prepare(Arguments arguments) {
  if (!arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h")) {
    fmt::print("{}", usage());
    return 0;
  }
  return on_all_ranks(RankOptions(), stop_requested,
                      [&](comm::Communicator& world) { return run_stage(arguments, world); });
}

}  // namespace bertha::cli
