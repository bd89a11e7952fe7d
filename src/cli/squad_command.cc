#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/squad_arguments.h"
#include "cli/squad_tools.h"
#include "cli/stop.h"
#include "core/error.h"
#include "cpython/literals.h"
#include "train/squad_run.h"

namespace bertha::cli {
namespace {

/// The part of one rank. With one rank this is the whole run.
int run_on(comm::Communicator& world, train::SquadOptions options, const SquadArguments& typed,
           const Options& table) {
  const RankDevice own = open_on_rank(typed.run.device, world);
  Device* const device = own.device.get();
  options.arithmetic = typed.run.device.arithmetic(*device, !options.train_file.empty());
  const std::string config =
      namespace_text(table, *device, {{"json_summary", cpython::repr_str(options.json_summary)}});
  train::SquadRun run(options, *device, typed.run.record_printer(), config, *own.world);
  return run.run(stop_requested) == train::RunEnd::kFinished
             ? 0
             : stopped_status(options.skip_checkpoint);
}

int run_squad_recipe(Arguments arguments) {
  SquadArguments typed;
  Options table(
      "bertha squad",
      "Fine-tunes on SQuAD, answers and scores. Every option of the recipe's run_squad.py works "
      "here. Ctrl-C or SIGTERM during training saves the state and "
      "ends with status 75; the same command then continues where it stopped.");
  table.subcommand("score", "score a file of answers: exact match and F1");
  table.subcommand("features", "write the inputs of the model as JSON");
  table.example(
      "bertha squad --do-train --do-predict --do-eval --train-file=v1.1/train-v1.1.json "
      "--predict-file=v1.1/dev-v1.1.json --init-checkpoint=results "
      "--use-fused-adam "
      "--output-dir=squad-model",
      "Fine-tune a pre-trained model, answer the questions of the dev set, and score the answers");
  typed.declare(table);
  table.parse(arguments);
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
