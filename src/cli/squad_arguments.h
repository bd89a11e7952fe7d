#pragma once

#include <string>

#include "cli/options.h"
#include "cli/recipe_run.h"
#include "train/squad_run.h"

namespace bertha::cli {

/// The options of `bertha squad` as typed, before they become SquadOptions.
struct SquadArguments {
  train::SquadOptions options;
  RecipeRun run;
  std::string rules = "recipe";
  double max_steps = -1;
  bool do_train = false;
  bool do_predict = false;
  bool no_dropout = false;

  /// Declares all options, including those of run_squad.py that do nothing here.
  void declare(Options& table);
  /// The run's options. Throws Error for options that exclude each other.
  train::SquadOptions settle() const;
};

}  // namespace bertha::cli
