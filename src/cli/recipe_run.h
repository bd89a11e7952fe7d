#pragma once

#include <map>
#include <string>

#include "cli/device_choice.h"
#include "cli/options.h"
#include "cli/ranks.h"

namespace bertha::cli {

/// The options that run_pretraining.py and run_squad.py share, as typed. `RunOptions` is the run's
/// own structure: json_summary, tensorboard_dir, output_dir, progress, and what RankOptions
/// settles.
struct RecipeRun {
  DeviceChoice device;
  RankOptions ranks;
  std::string bert_model = "bert-large-uncased";
  bool disable_progress_bar = false;
  bool enable_tensorboard = false;
  bool fp16 = false;

  /// --bert_model; the model's files are each command's own.
  void declare_model_name(Options& table);
  /// Where records, event files and the progress line go.
  template <typename RunOptions>
  void declare_log(Options& table, RunOptions& run) {
    declare_log(table, run.json_summary, run.tensorboard_dir);
  }
  /// Device and ranks, then the options that do nothing here, under their heading; `loss_scale` is
  /// that option's default in the recipe's script.
  void declare_rest(Options& table, const std::string& loss_scale);

  /// Says what was accepted without effect and gives `run` its part.
  template <typename RunOptions>
  void settle(const Options& table, RunOptions& run) {
    settle(table);
    run.progress = !disable_progress_bar;
    ranks.settle(run);
    if (enable_tensorboard && run.tensorboard_dir.empty()) {
      run.tensorboard_dir = run.output_dir + "/tensorboard";
    }
  }

 private:
  void declare_log(Options& table, std::string& json_summary, std::string& tensorboard_dir);
  void settle(const Options& table);
};

/// The log's Config record, as the recipe prints its argparse Namespace; `shown` may put another
/// value in an option's place by its name ("device" is the device's description in any case).
std::string namespace_text(const Options& table, const Device& device,
                           const std::map<std::string, std::string>& shown = {});

/// The exit status after a request to end, which a warning tells.
int stopped_status(bool skip_checkpoint);

}  // namespace bertha::cli
