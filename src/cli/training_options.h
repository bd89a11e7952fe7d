#pragma once

// The options that the commands which train (pretrain, squad, classify) have in common, each
// declared once. `RunOptions` is the structure of the run that a command starts.

#include <string>

#include "cli/device_choice.h"
#include "cli/options.h"
#include "cli/rank_options.h"

namespace bertha::cli {

/// Options of all three commands that are not fields of the run, as typed.
struct TrainingOptions {
  DeviceChoice device;
  RankOptions ranks;
  bool disable_progress_bar = false;

  void declare_device_and_ranks(Options& table) {
    device.declare(table);
    ranks.declare(table);
  }
  template <typename RunOptions>
  void declare_displays(Options& table, RunOptions& run) {
    table.folder("tensorboard_logdir", run.tensorboard_dir, "folder for TensorBoard event files");
    table.flag("disable_progress_bar", disable_progress_bar, "show no status line");
  }
  /// Copies to `run` what was typed: progress, sums, zero, weight_check_interval.
  template <typename RunOptions>
  void settle(RunOptions& run) const {
    run.progress = !disable_progress_bar;
    ranks.settle(run);
  }
};

/// `rows` names what the command trains on, in the plural: "windows".
template <typename RunOptions>
void declare_batch_size(Options& table, RunOptions& run, const std::string& rows) {
  table.value("train_batch_size", run.train_batch_size,
              "number of " + rows + " in an update, on each rank");
}

template <typename RunOptions>
void declare_accumulation(Options& table, RunOptions& run, const std::string& rows) {
  table.value("gradient_accumulation_steps", run.gradient_accumulation_steps,
              "number of micro-batches into which the " + rows + " of an update are divided");
}

template <typename RunOptions>
void declare_learning_rate(Options& table, RunOptions& run) {
  table.value("learning_rate", run.learning_rate, "highest learning rate");
  table.value("warmup_proportion", run.warmup_proportion,
              "fraction of the schedule's updates in which the learning rate rises");
}

/// `fresh` names the weights that start from random values.
template <typename RunOptions>
void declare_seed(Options& table, RunOptions& run, const std::string& fresh,
                  const std::string& rows) {
  table.value("seed", run.seed, "random seed of " + fresh + ", dropout and the order of " + rows);
}

/// A model that --config_file describes; `otherwise` says what is taken without it.
template <typename RunOptions>
void declare_config(Options& table, RunOptions& run, const std::string& otherwise) {
  table.file("config_file", run.config_file,
             "bert_config.json or a Hugging Face config.json; if not given: " + otherwise);
}

template <typename RunOptions>
void declare_recomputation(Options& table, RunOptions& run) {
  table.flag("checkpoint_activations", run.checkpoint_activations,
             "keep only the input of each layer and compute the layer again in the backward pass; "
             "saves memory");
}

/// The state of a fine-tuning, fine_tuning.pt.
template <typename RunOptions>
void declare_state_saves(Options& table, RunOptions& run) {
  table.value("num_steps_per_checkpoint", run.save_steps,
              "number of updates between saves of the state, fine_tuning.pt, from which the same "
              "command continues; 0: save only when the run is stopped");
}

/// `more` names what else of another command is replaced: " or predictions".
template <typename RunOptions>
void declare_overwrite(Options& table, RunOptions& run, const std::string& more) {
  table.flag("overwrite", run.overwrite,
             "replace a model" + more + " in --output-dir that another command made");
}

}  // namespace bertha::cli
