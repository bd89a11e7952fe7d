#pragma once

// BERT's tokenizer: text is cleaned, split at blanks, punctuation and Chinese characters, lower
// cased and stripped of accents where asked, and each word is cut into the longest pieces the
// vocabulary has, from left to right ("WordPiece").

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/unicode.h"
#include "text/vocabulary.h"

namespace bertha::text {

struct TokenizerOptions {
  bool lower_case = true;  ///< lower case and no accents, as the uncased models
  TokenRules rules = TokenRules::kHf;
  int32_t max_input_chars_per_word = 100;  ///< a word of more code points is [UNK]
};

/// Where a token came from: [begin, end) in code points of the text.
struct TokenOffset {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const TokenOffset&) const = default;
};

/// Immutable after construction: all methods may be called from several threads at once.
class Tokenizer {
 public:
  /// `vocabulary` must outlive the tokenizer and have [UNK] (Error otherwise).
  explicit Tokenizer(const Vocabulary& vocabulary, const TokenizerOptions& options = {});
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Appends the ids of `text`, without [CLS] and [SEP]. Broken UTF-8 is read as Python's
  /// errors="replace" reads it: U+FFFD, which the rules drop.
  void encode(std::string_view text, std::vector<int32_t>& ids) const;
  /// The same, and where each token came from.
  void encode(std::string_view text, std::vector<int32_t>& ids,
              std::vector<TokenOffset>& offsets) const;

  const Vocabulary& vocabulary() const;
  const TokenizerOptions& options() const;

 private:
  class Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace bertha::text
