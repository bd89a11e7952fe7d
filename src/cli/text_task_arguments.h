#pragma once

// The options that `classify` and `tag` have in common.

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cli/model_choice.h"
#include "cli/options.h"
#include "cli/training_options.h"
#include "train/text_task.h"

namespace bertha::cli {

/// What the rows of the files are called.
struct TextTaskWords {
  std::string rows;   ///< "texts"
  std::string fresh;  ///< "the fresh classifier"
  std::string cut;    ///< what becomes of rows that are too long
};

/// Throws Error where one of the files is standard input, which several ranks cannot share, or more
/// than one.
void refuse_shared_input(const comm::Communicator& world, std::span<const std::string> files);

struct TextTaskArguments {
  ModelChoice model;
  TrainingOptions training;

  /// The model, then training, displays, device and ranks.
  void declare(Options& table, train::TextTaskOptions& options, const TextTaskWords& words);
  /// Throws Error for options that need others; copies to `options` what was typed.
  void settle(train::TextTaskOptions& options) const;
};

}  // namespace bertha::cli
