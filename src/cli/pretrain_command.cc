#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/recipe_run.h"
#include "cli/stop.h"
#include "core/error.h"
#include "core/profile.h"
#include "runlog/profile_table.h"
#include "train/pretraining_run.h"

namespace bertha::cli {
namespace {

using train::PretrainingOptions;

/// Values as typed, before they become PretrainingOptions.
struct Typed {
  PretrainingOptions options;
  RecipeRun run;
  std::string optimizer = "lamb";
  std::string init = "recipe";
  double max_steps = 1000;
  double log_freq = 1;
  int64_t max_seq_length = 512;
  bool packed = true;
  bool do_train = false;
  bool profile = false;
};

void declare_data(Options& table, Typed& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("data");
  table.value("input_dir", o.input_dir, "folder of HDF5 shards, <dataset>_training_<i>.hdf5");
  table.required();
  table.value("max_seq_length", typed.max_seq_length,
              "shown in the log; the shards decide the length of rows");
  table.value("max_predictions_per_seq", o.max_predictions_per_seq,
              "maximum number of masked tokens that are read from a row");
  table.value(
      "enable_packed_data_mode", typed.packed,
      "the shards are packed, with several sequences in a row; if not given, the shards decide");
  table.value("eval_dir", o.eval_dir,
              "folder of held-out shards, <dataset>_test_<i>.hdf5, to evaluate on");
  table.value("eval_interval", o.eval_interval,
              "number of steps between evaluations; 0: only at the end");
  table.value("eval_batches", o.eval_batches,
              "maximum number of micro-batches that an evaluation reads");
}

void declare_model(Options& table, Typed& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("model");
  declare_config(table, o);
  typed.run.declare_model_name(table);
  table.value("init_checkpoint", o.init_checkpoint,
              "weights to start from at step 0, with moments if the file has them");
  table.value("init", typed.init,
              "initial weights. recipe: layers with an activation are uniform in 1/sqrt(inputs); "
              "bert: all are normal");
  declare_recomputation(table, o);
}

void declare_optimisation(Options& table, Typed& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("optimisation");
  declare_batch_size(table, o, "rows");
  declare_accumulation(table, o, "rows");
  declare_learning_rate(table, o);
  table.value("max_steps", typed.max_steps, "number of updates of this phase");
  table.value("steps_this_run", o.steps_this_run,
              "stop at this step, counted from the start of the phase; -1: at the last step");
  table.value("optimizer", typed.optimizer, "lamb or adamw");
  declare_seed(table, o, "initial weights", "rows");
  table.flag("do_train", typed.do_train, "train (required, as in the recipe)");
}

void declare_run(Options& table, Typed& typed) {
  PretrainingOptions& o = typed.options;
  table.heading("checkpoints and phases");
  table.value("output_dir", o.output_dir, "folder for checkpoints, losses.tsv and loss.svg");
  table.required();
  table.value("num_steps_per_checkpoint", o.num_steps_per_checkpoint,
              "number of steps between checkpoints; the three newest of a run are kept");
  table.flag("skip_checkpoint", o.skip_checkpoint, "write no checkpoint");
  table.flag("resume_from_checkpoint", o.resume_from_checkpoint,
             "continue from the newest checkpoint in --output_dir, whichever command wrote it; the "
             "same command continues from its own checkpoints without this option");
  table.value("resume_step", o.resume_step, "number of the checkpoint; -1: the newest");
  table.flag("phase2", o.phase2, "second phase: steps are counted from --phase1_end_step");
  table.value("phase1_end_step", o.phase1_end_step,
              "number of the last checkpoint of the first phase");
  table.heading("log");
  typed.run.declare_log(table, o);
  table.value("log_freq", typed.log_freq, "number of steps between log records");
  table.value("profile", typed.profile,
              "at the end, print to standard error where the time went, op by op (rank 0, CPU)");
}

void declare_accepted(Options& table) {
  table.accepted("init_loss_scale", true, "bf16 has the range of fp32 and needs no loss scale",
                 "1048576");
  table.accepted("num_train_epochs", true,
                 "--max_steps decides how long to train, as in the recipe", "3.0");
  table.accepted("allreduce_post_accumulation", false, "gradients are always reduced once a step");
  table.accepted("allreduce_post_accumulation_fp16", false,
                 "gradients are reduced in fp32, as on Gaudi");
  table.accepted("use_fused_lamb", false, "LAMB is always one fused pass");
  table.accepted("use-hpu-graphs", true,
                 "a GPU always replays steps as graphs; the CPU uses prepared primitives", "False");
  table.accepted("profile_steps", true, "--profile covers all steps of the run", "'0'");
}

/// A count that the recipe's parser reads as a float: "10", "1e3", "7038.0".
int64_t whole(const char* name, double value) {
  if (!(value >= 1 && value < 1e15)) fail("--{} is {}; it must be at least 1", name, value);
  return std::llround(std::floor(value));
}

PretrainingOptions settle(const Typed& typed, const Options& table) {
  PretrainingOptions o = typed.options;
  if (!typed.do_train) fail("--do_train is required: bertha pretrain does nothing else");
  o.max_steps = whole("max_steps", typed.max_steps);
  o.log_freq = whole("log_freq", typed.log_freq);
  if (typed.optimizer != "lamb" && typed.optimizer != "adamw") {
    fail("--optimizer {}: expected lamb or adamw", typed.optimizer);
  }
  o.optimizer =
      typed.optimizer == "lamb" ? optim::OptimizerKind::kLamb : optim::OptimizerKind::kAdamW;
  if (typed.init != "recipe" && typed.init != "bert") {
    fail("--init {}: expected recipe or bert", typed.init);
  }
  o.init = typed.init == "recipe" ? bert::InitStyle::kRecipe : bert::InitStyle::kBert;
  if (table.given("enable_packed_data_mode")) o.packed = typed.packed;
  return o;
}

/// The Config record of the log. As in the recipe, its batch size is already divided by the
/// accumulation steps.
std::string config_text(const Options& table, const PretrainingOptions& options,
                        const Device& device) {
  return namespace_text(
      table, device,
      {{"train_batch_size", std::to_string(options.micro_batch())},
       {"gradient_accumulation_steps", std::to_string(options.gradient_accumulation_steps)},
       {"steps_this_run", std::to_string(options.last_step())},
       {"precision", options.bf16 ? "'bf16'" : "'fp32'"}});
}

/// The part of one rank. With one rank this is the whole run.
int train_on(comm::Communicator& world, PretrainingOptions options, const Typed& typed,
             const Options& table) {
  const RankDevice own = open_on_rank(typed.run.device, world);
  Device* const device = own.device.get();
  if (typed.profile && device->kind() != DeviceKind::kCpu) {
    fail("--profile: {} runs ops on its own time; add --device cpu", device->description());
  }
  Profile profile;
  if (typed.profile && world.leads()) device->set_profile(&profile);
  options.bf16 = typed.run.device.bf16(*device);
  const auto settled_config = [&](const train::PretrainingOptions& settled) {
    return config_text(table, settled, *device);
  };
  train::PretrainingRun run(options, *device, print_line, settled_config, *own.world);
  const train::RunEnd end = run.run(stop_requested);
  if (device->profile() != nullptr) {
    spdlog::info("where the time of {} steps went, evaluations included:\n{}", run.steps_done(),
                 runlog::profile_table(profile, run.steps_done()));
  }
  return end == train::RunEnd::kFinished ? 0 : stopped_status(options.skip_checkpoint);
}

}  // namespace

int run_pretrain(Arguments arguments) {
  Typed typed;
  Options table(
      "bertha pretrain",
      "Pre-trains BERT on shards that bertha prepare made, with masked words and next sentences. "
      "Phase 1 runs on rows of 128 tokens. Phase 2 (--phase2, --resume_from_checkpoint) continues "
      "from its checkpoint on rows of 512. Every option of the recipe's run_pretraining.py works "
      "here. Ctrl-C or SIGTERM saves a checkpoint and ends with status 75; the same command then "
      "continues where it stopped.");
  declare_data(table, typed);
  declare_model(table, typed);
  declare_optimisation(table, typed);
  declare_run(table, typed);
  typed.run.declare_rest(table, "0.0");
  declare_accepted(table);
  if (!table.parse(arguments)) {
    std::fputs(table.help().c_str(), stdout);
    return 0;
  }
  PretrainingOptions options = settle(typed, table);
  typed.run.settle(table, options);
  stop_on_signals();
  return on_all_ranks(typed.run.ranks, stop_requested, [&](comm::Communicator& world) {
    return train_on(world, options, typed, table);
  });
}

}  // namespace bertha::cli
