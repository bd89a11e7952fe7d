#pragma once

// A model's tokenizer. BERT's own cleans the text, splits it at white space, punctuation and
// Chinese characters, optionally lower-cases it and strips accents, and cuts each word into the
// longest pieces of the vocabulary from left to right ("WordPiece"). Other settings of a model's
// folder run in the stages of TokenizerPipeline.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/unicode.h"
#include "text/vocabulary.h"

namespace bertha::text {

class TokenizerPipeline;
struct TokenizerSettings;

struct TokenizerOptions {
  bool lower_case = true;  ///< lower case without accents, as for the uncased models
  TokenRules rules = TokenRules::kHf;
  int32_t max_input_chars_per_word = 100;  ///< a word with more code points becomes [UNK]
  /// What the model's folder says; it goes before the other fields. Null: BERT's own settings.
  std::shared_ptr<const TokenizerSettings> settings = nullptr;
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
  /// `vocabulary` must outlive the tokenizer. Throws Error when it has no [UNK],
  /// or what the settings have in its place.
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
  const TokenizerSettings& settings() const;
  /// Ids of the special tokens, which need not be BERT's. Throws Error that names the first missing
  /// one.
  SpecialIds specials() const;

 private:
  class Impl;
  std::unique_ptr<const Impl> impl_;
  std::unique_ptr<const TokenizerPipeline> pipeline_;  // null: impl_ encodes
};

}  // namespace bertha::text
