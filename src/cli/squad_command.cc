#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/squad_arguments.h"
#include "cli/squad_tools.h"
#include "cli/stop.h"
#include "core/error.h"
#include "train/squad_run.h"

namespace bertha::cli {
namespace {

/// The part of one rank. With one rank this is the whole run.
int run_on(comm::Communicator& world, train::SquadOptions options, const SquadArguments& typed,
           const Options& table) {
  const RankDevice own = open_on_rank(typed.run.device, world);
  Device* const device = own.device.get();
  options.bf16 = typed.run.device.bf16(*device);
  train::SquadRun run(options, *device, print_line, namespace_text(table, *device), *own.world);
  return run.run(stop_requested) == train::RunEnd::kFinished
             ? 0
             : stopped_status(options.skip_checkpoint);
}

int run_squad_recipe(Arguments arguments) {
  SquadArguments typed;
  Options table(
      "bertha squad",
      "Fine-tunes on SQuAD, answers and scores. Every option of the recipe's run_squad.py works "
      "here. bertha squad score GOLD PREDICTIONS scores a file of answers; bertha squad features "
      "FILE shows the inputs of the model. Ctrl-C or SIGTERM during training saves the state and "
      "ends with status 75; the same command then continues where it stopped.");
  typed.declare(table);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  train::SquadOptions options = typed.settle();
  typed.run.settle(table, options);
  stop_on_signals();
  return on_all_ranks(typed.run.ranks, stop_requested, [&](comm::Communicator& world) {
    return run_on(world, options, typed, table);
  });
}

}  // namespace

int run_squad(Arguments arguments) {
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (first == "score") return run_squad_score(arguments.subspan(1));
  if (first == "features") return run_squad_features(arguments.subspan(1));
  return run_squad_recipe(arguments);
}

}  // namespace bertha::cli
