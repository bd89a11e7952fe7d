#pragma once

// The files a tokenizer is kept in: vocab.txt, and Hugging Face's tokenizer.json and
// tokenizer_config.json.

#include <cstdint>
#include <optional>
#include <string>

#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace bertha::text {

struct TokenizerFile {
  Vocabulary vocabulary;
  std::optional<bool> lower_case;  ///< where the file or tokenizer_config.json beside it says
  int32_t max_input_chars_per_word = 100;
};

/// Reads a vocab.txt, or a tokenizer.json by its content; `do_lower_case` of a
/// tokenizer_config.json in the same folder counts for a vocab.txt. Throws Error for a tokenizer
/// that is not BERT's, ids that are not 0, 1, 2, …, or pieces that a vocab.txt cannot hold.
TokenizerFile load_tokenizer(const std::string& path);

/// The vocabulary as vocab.txt.
std::string vocabulary_text(const Vocabulary& vocabulary);
/// tokenizer.json and tokenizer_config.json, as transformers reads them.
std::string tokenizer_json(const Vocabulary& vocabulary, const TokenizerOptions& options);
std::string tokenizer_config_json(const TokenizerOptions& options, int64_t max_tokens);

}  // namespace bertha::text
