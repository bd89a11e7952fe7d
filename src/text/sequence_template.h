#pragma once

// How the tokens of one text or two become the input of a model: the special tokens around them,
// the segment ids, and what is cut off. This is the post-processor and the truncation of a
// tokenizer.json.

#include <cstdint>
#include <optional>
#include <vector>

namespace bertha::text {

struct TemplatePart {
  enum class Kind : uint8_t { kFirst, kSecond, kSpecial };
  Kind kind = Kind::kSpecial;
  int32_t segment = 0;
  std::vector<int32_t> ids{};  ///< of the special tokens, for kSpecial alone
  bool operator==(const TemplatePart&) const = default;
};

struct SequenceTemplate {
  std::vector<TemplatePart> single{};
  std::vector<TemplatePart> pair{};

  /// BERT's: [CLS] first [SEP], and second [SEP] in segment 1.
  static SequenceTemplate bert(int32_t cls, int32_t sep);
  /// No special tokens; the second text in segment 1.
  static SequenceTemplate bare();
  /// Number of special tokens.
  int64_t special_tokens(bool with_pair) const;
  bool operator==(const SequenceTemplate&) const = default;
};

struct Truncation {
  enum class Strategy : uint8_t { kLongestFirst, kOnlyFirst, kOnlySecond };
  int64_t max_tokens = 512;  ///< with special tokens
  Strategy strategy = Strategy::kLongestFirst;
  bool left = false;  ///< cuts at the start of a text
};

/// The numbers of tokens that remain of a text, or of two, so that they fit in `room`, as Hugging
/// Face's `tokenizers` package counts them. Throws Error when the strategy cannot reach it.
struct RemainingTokens {
  int64_t first = 0;
  int64_t second = 0;
};
RemainingTokens remaining_tokens(const Truncation& truncation, int64_t room, int64_t first,
                                 std::optional<int64_t> second);

}  // namespace bertha::text
