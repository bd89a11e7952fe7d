#pragma once

// Writes the tokenizer files of a model's folder, in the form that transformers reads.

#include <cstdint>
#include <string>

#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace bertha::text {

/// Text of a vocab.txt: the pieces of the model, without tokens that were added behind them.
std::string vocabulary_text(const Vocabulary& vocabulary, const TokenizerOptions& options);
/// Text of a tokenizer.json, or of a tokenizer_config.json. Settings that came from files are
/// written as they were.
std::string tokenizer_json(const Vocabulary& vocabulary, const TokenizerOptions& options);
std::string tokenizer_config_json(const Vocabulary& vocabulary, const TokenizerOptions& options,
                                  int64_t max_tokens);

}  // namespace bertha::text
