// bertha prepare: finds the sub-command.

#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_list.h"
#include "cli/commands.h"
#include "cli/prepare_commands.h"
#include "cli/rank_options.h"
#include "cli/stop.h"
#include "core/error.h"
#include "core/nearest_name.h"
#include "runlog/work_meter.h"

namespace bertha::cli {
namespace {

struct Stage {
  std::string_view name;
  std::string_view summary;
  int (*run)(Arguments, comm::Communicator&);
};

/// For a stage that cannot be divided among ranks: rank 0 runs it, the other ranks wait.
template <int (*kStage)(Arguments)>
int on_rank_0(Arguments arguments, comm::Communicator& world) {
  const int status = world.leads() ? kStage(arguments) : 0;
  world.wait_for_all(comm::Stage::kBarrier);
  return status;
}

constexpr std::array kStages = {
    Stage{"text", "turn your own text into a vocabulary and shards, in one command",
          on_rank_0<run_prepare_text>},
    Stage{"extract", "turn a Wikipedia dump into plain articles, as WikiExtractor writes them",
          on_rank_0<run_prepare_extract>},
    Stage{"format", "join articles or books to one line each", on_rank_0<run_prepare_format>},
    Stage{"shard", "split text into sentences, and distribute them over shards of equal size",
          on_rank_0<run_prepare_shard>},
    Stage{"instances", "turn text shards into HDF5: masked tokens and next-sentence pairs",
          run_prepare_instances},
    Stage{"pack", "put several sequences in a row, so that training spends little on padding",
          run_prepare_pack},
    Stage{"verify", "read all rows of all shards and check every field", run_prepare_verify},
};

int run_stage(Arguments arguments, comm::Communicator& world) {
  if (arguments.empty()) return run_prepare_all(arguments, world);
  const std::string& name = arguments.front();
  for (const Stage& stage : kStages) {
    if (stage.name == name) return stage.run(arguments.subspan(1), world);
  }
  return run_prepare_all(arguments.subspan(name == "all" ? 1 : 0), world);
}

}  // namespace

void check_threads(const char* name, int64_t threads) {
  constexpr int64_t kMost = 1024;
  if (threads < 1 || threads > kMost) fail("--{} {}: expected 1 to {}", name, threads, kMost);
}

ReportProgress open_status_line(const std::string& label, const std::string& unit, bool quiet) {
  auto meter = std::make_shared<runlog::WorkMeter>(label, unit, quiet);
  return [meter](int64_t done, int64_t total) { meter->update(done, total); };
}

void declare_stages(Options& options) {
  for (const Stage& stage : kStages) {
    options.subcommand(std::string(stage.name), std::string(stage.summary));
  }
}

std::string similar_stage(const std::string& typed) {
  std::vector<std::string> names = {"wiki_only", "wiki_books"};
  for (const Stage& stage : kStages) names.emplace_back(stage.name);
  return suggestion(typed, names);
}

int run_prepare(Arguments arguments) {
  if (asks_for_help(arguments)) return run_stage(arguments, comm::alone());
  return on_all_ranks(RankOptions(), stop_requested,
                      [&](comm::Communicator& world) { return run_stage(arguments, world); });
}

}  // namespace bertha::cli
