#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/pretrain_arguments.h"
#include "cli/recipe_run.h"
#include "cli/stop.h"
#include "core/error.h"
#include "core/profile.h"
#include "cpython/literals.h"
#include "runlog/profile_table.h"
#include "train/pretraining_run.h"

namespace bertha::cli {
namespace {

using train::PretrainingOptions;

/// The Config record of the log. As in the recipe, its batch size is already divided by the
/// accumulation steps.
std::string config_text(const Options& table, const PretrainingOptions& options,
                        const Device& device) {
  return namespace_text(
      table, device,
      {{"train_batch_size", std::to_string(options.micro_batch())},
       {"gradient_accumulation_steps", std::to_string(options.gradient_accumulation_steps)},
       {"json_summary", cpython::repr_str(options.json_summary)},
       {"steps_this_run", std::to_string(options.last_step())},
       {"precision", cpython::repr_str(train::precision_name(options))}});
}

/// The part of one rank. With one rank this is the whole run.
int train_on(comm::Communicator& world, PretrainingOptions options, const PretrainArguments& typed,
             const Options& table) {
  const RankDevice own = open_on_rank(typed.run.device, world);
  Device* const device = own.device.get();
  if (typed.profile && device->kind() != DeviceKind::kCpu) {
    fail("--profile: {} runs ops on its own time; add --device cpu", device->description());
  }
  Profile profile;
  if (typed.profile && world.leads()) device->set_profile(&profile);
  options.bf16 = typed.run.device.bf16(*device);
  options.fp8 = typed.run.device.fp8();
  const auto settled_config = [&](const train::PretrainingOptions& settled) {
    return config_text(table, settled, *device);
  };
  train::PretrainingRun run(options, *device, typed.run.record_printer(), settled_config,
                            *own.world);
  const train::RunEnd end = run.run(stop_requested);
  if (device->profile() != nullptr) {
    spdlog::info("where the time of {} steps went, evaluations included:\n{}", run.steps_done(),
                 runlog::profile_table(profile, run.steps_done()));
  }
  return end == train::RunEnd::kFinished ? 0 : stopped_status(options.skip_checkpoint);
}

}  // namespace

int run_pretrain(Arguments arguments) {
  PretrainArguments typed;
  Options table(
      "bertha pretrain",
      "Pre-trains BERT on shards that bertha prepare made, with masked words and next sentences. "
      "Phase 1 runs on rows of 128 tokens. Phase 2 (--phase2, --resume-from-checkpoint) continues "
      "from its checkpoint on rows of 512. Every option of the recipe's run_pretraining.py works "
      "here. Ctrl-C or SIGTERM saves a checkpoint and ends with status 75; the same command then "
      "continues where it stopped.");
  typed.declare(table);
  table.parse(arguments);
  PretrainingOptions options = typed.settle(table);
  typed.run.settle(table, options);
  stop_on_signals();
  return on_all_ranks(typed.run.ranks, stop_requested, [&](comm::Communicator& world) {
    return train_on(world, options, typed, table);
  });
}

}  // namespace bertha::cli
