#pragma once

#include <memory>
#include <string>

#include "cli/options.h"
#include "infer/model.h"

namespace bertha::cli {

/// The options that say which model a command works with: weights, config and tokenizer. They are
/// declared once for every command that predicts or converts.
struct ModelChoice {
  std::string checkpoint;
  std::string config_file;
  std::string vocab_file;
  bool lower_case = false;
  bool cased = false;

  /// --init_checkpoint (--checkpoint), and what declare_files() declares.
  void declare(Options& options, const std::string& weights_help);
  /// --config_file, --vocab_file, --do_lower_case, --cased.
  void declare_files(Options& options);

  /// The files that the options name. Throws Error for options that exclude each other.
  infer::ModelFiles files() const;
};

/// Throws Error that names the command which fetches the weights, where `path` is no file but the
/// name of weights that bertha download knows.
void check_weights_name(const std::string& path);

/// The `on_missing` of commands that warn: a line of the log.
void warn_of_missing(const std::string& warning);

}  // namespace bertha::cli
