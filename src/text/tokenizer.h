#pragma once

// BERT's tokenizer. It cleans the text, splits it at white space, punctuation and Chinese
// characters, optionally lower-cases it and strips accents, and cuts each word into the longest
// pieces of the vocabulary from left to right ("WordPiece").

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/unicode.h"
#include "text/vocabulary.h"

namespace bertha::text {

struct TokenizerOptions {
  bool lower_case = true;  ///< lower case without accents, as for the uncased models
  TokenRules rules = TokenRules::kHf;
  int32_t max_input_chars_per_word = 100;  ///< a word with more code points becomes [UNK]
};

/// The origin of a token: [begin, end) in code points of the text.
struct TokenOffset {
  int64_t begin = 0;
  int64_t end = 0;
  bool operator==(const TokenOffset&) const = default;
};

/// Immutable after construction: several threads may call all methods at once.
class Tokenizer {
 public:
  /// `vocabulary` must outlive the tokenizer. Throws Error when it has no [UNK].
  explicit Tokenizer(const Vocabulary& vocabulary, const TokenizerOptions& options = {});
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Appends the ids of `text`, without [CLS] and [SEP]. Invalid UTF-8 becomes U+FFFD, as with
  /// Python's errors="replace", and the token rules then remove it.
  void encode(std::string_view text, std::vector<int32_t>& ids) const;
  /// Also appends the origin of each token.
  void encode(std::string_view text, std::vector<int32_t>& ids,
              std::vector<TokenOffset>& offsets) const;

  const Vocabulary& vocabulary() const;
  const TokenizerOptions& options() const;

 private:
  class Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace bertha::text
