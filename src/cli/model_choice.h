#pragma once

#include <cstdint>
#include <string>

#include "bert/config.h"
#include "cli/options.h"
#include "text/tokenizer_file.h"

namespace bertha::cli {

/// Which model a command works with: weights, and beside them its config and tokenizer; declared
/// once for every command that predicts or converts.
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

  /// The config named, else bert_config.json or config.json beside the weights.
  bert::Config config() const;
  /// The vocabulary named, else vocab.txt or tokenizer.json beside the weights; lower case as the
  /// options say, else as the files say, else on.
  text::TokenizerFile tokenizer() const;
  /// Whether tokenizer() would find a vocabulary.
  bool has_tokenizer() const;
  /// How to cut text with the tokenizer that tokenizer() gave.
  text::TokenizerOptions rules(const text::TokenizerFile& file) const;
};

/// Throws Error when the vocabulary has ids that the model has no row for.
void check_vocabulary(const text::Vocabulary& vocabulary, const bert::Config& config);

}  // namespace bertha::cli
