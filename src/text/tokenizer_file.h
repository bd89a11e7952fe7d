#pragma once

// Tokenizer files: vocab.txt, and Hugging Face's tokenizer.json and tokenizer_config.json.

#include <cstdint>
#include <optional>
#include <string>

#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace bertha::text {

struct TokenizerFile {
  Vocabulary vocabulary;
  std::optional<bool>
      lower_case;  ///< set when the file, or tokenizer_config.json beside it, states it
  int32_t max_input_chars_per_word = 100;
};

/// Reads a vocab.txt or a tokenizer.json and detects which by the content. For a vocab.txt,
/// `do_lower_case` of a tokenizer_config.json in the same folder is used. Throws Error for a
/// tokenizer that is not BERT's, for ids that are not 0, 1, 2, …, and for pieces that a vocab.txt
/// cannot hold.
TokenizerFile load_tokenizer(const std::string& path);

/// Text of a vocab.txt with this vocabulary.
std::string vocabulary_text(const Vocabulary& vocabulary);
/// Text of a tokenizer.json, or of a tokenizer_config.json, in the form that transformers reads.
std::string tokenizer_json(const Vocabulary& vocabulary, const TokenizerOptions& options);
std::string tokenizer_config_json(const TokenizerOptions& options, int64_t max_tokens);

}  // namespace bertha::text
