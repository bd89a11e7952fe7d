#pragma once

// The normalizers of a tokenizer.json: what happens to a text before it is split into words. They
// are those of Hugging Face's `tokenizers` package that BERT models use.

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "text/unicode_forms.h"

namespace bertha::text {

struct BertNormalizer {
  bool clean_text = true;            ///< removes control characters; white space becomes a blank
  bool handle_chinese_chars = true;  ///< puts blanks around Chinese characters
  std::optional<bool> strip_accents = std::nullopt;  ///< as `lowercase` where it is not set
  bool lowercase = true;
  bool operator==(const BertNormalizer&) const = default;
};
struct LowercaseNormalizer {};
struct StripAccentsNormalizer {};  ///< removes marks; it does not decompose letters
/// Removes white space at the ends of the text.
struct StripNormalizer {
  bool left = true;
  bool right = true;
};
/// Replaces each occurrence of a string, from left to right.
struct ReplaceNormalizer {
  std::u32string pattern{};
  std::u32string content{};
};

using Normalizer = std::variant<BertNormalizer, UnicodeForm, LowercaseNormalizer,
                                StripAccentsNormalizer, StripNormalizer, ReplaceNormalizer>;

/// Applies the normalizers in their order. Throws Error when they make the text longer than
/// kMaxGrowth times its length plus kMaxGrowth.
void normalize(std::span<const Normalizer> normalizers, std::vector<Letter>& letters);
inline constexpr size_t kMaxGrowth = 1024;

}  // namespace bertha::text
