#pragma once

#include <functional>
#include <map>
#include <string>

#include "cli/options.h"
#include "cli/training_options.h"

namespace bertha::cli {

/// The options that run_pretraining.py and run_squad.py have in common, as typed. `RunOptions` is
/// the structure of the run: json_summary, output_dir and the fields of TrainingOptions.
struct RecipeRun : TrainingOptions {
  std::string bert_model = "bert-large-uncased";
  bool enable_tensorboard = false;
  bool fp16 = false;
  bool log_to_stdout = false;

  /// --bert_model; each command declares the files of its model.
  void declare_model_name(Options& table);
  /// Where log records, event files and the progress line go.
  template <typename RunOptions>
  void declare_log(Options& table, RunOptions& run) {
    table.file("json-summary", run.json_summary,
               "file for the log of the run, one DLLL line for each record; an existing file is "
               "continued. If not given: dllogger.json in --output-dir");
    table.flag("log-to-stdout", log_to_stdout,
               "print the records of the log on standard output even where that is a terminal");
    declare_displays(table, run);
    table.flag("enable-tensorboard-logging", enable_tensorboard,
               "write TensorBoard event files below --output-dir");
  }
  /// Device and ranks, then the options that do nothing here, under their heading; `loss_scale` is
  /// that option's default in the recipe's script.
  void declare_rest(Options& table, const std::string& loss_scale);

  /// Logs which options were accepted without effect, and copies to `run` what was typed.
  template <typename RunOptions>
  void settle(const Options& table, RunOptions& run) {
    settle_precision(table);
    TrainingOptions::settle(run);
    if (run.json_summary.empty()) run.json_summary = run.output_dir + "/dllogger.json";
    if (enable_tensorboard && run.tensorboard_dir.empty()) {
      run.tensorboard_dir = run.output_dir + "/tensorboard";
    }
  }

  /// Prints the log's records where standard output is a file or a pipe, or where the user asks for
  /// it; empty on a terminal, whose reader has the status line.
  std::function<void(const std::string&)> record_printer() const;

 private:
  void settle_precision(const Options& table);
};

/// The log's Config record, in the form in which the recipe prints its argparse Namespace. `shown`
/// replaces the values of options by name; "device" is always the device's description.
std::string namespace_text(const Options& table, const Device& device,
                           const std::map<std::string, std::string>& shown = {});

/// Logs a warning that a signal stopped the run, and returns the exit status for that.
int stopped_status(bool skip_checkpoint);

}  // namespace bertha::cli
