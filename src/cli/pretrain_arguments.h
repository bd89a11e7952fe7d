#pragma once

#include <cstdint>
#include <string>

#include "cli/options.h"
#include "cli/recipe_run.h"
#include "train/pretraining_options.h"

namespace bertha::cli {

/// The options of `bertha pretrain` as typed, before they become PretrainingOptions.
struct PretrainArguments {
  train::PretrainingOptions options;
  RecipeRun run;
  std::string optimizer = "lamb";
  std::string init = "recipe";
  double max_steps = 1000;
  double log_freq = 1;
  bool packed = true;
  bool do_train = false;
  bool profile = false;

  /// Declares all options, including those of run_pretraining.py that do nothing here.
  void declare(Options& table);
  /// The run's options. Throws Error for values out of range.
  train::PretrainingOptions settle(const Options& table) const;
};

}  // namespace bertha::cli
