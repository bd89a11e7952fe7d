#pragma once

// Properties of code points for the token rules, and the changes that the rules make to a word.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode_tables.h"

namespace bertha::text {

/// The programs whose tokens are reproduced. They differ only for rare text.
enum class TokenRules : uint8_t {
  kRecipe,  ///< tokenization.py of the PyTorch reference under Python 3.10 (Unicode 13)
  kHf,      ///< Hugging Face tokenizers 0.22
};

/// Parses "hf" or "recipe", the values of --token-rules; throws Error for other names.
TokenRules parse_token_rules(const std::string& name);

/// The Chinese characters of the rules, each of which is a word.
std::span<const tables::Range> chinese_ranges(TokenRules rules);

/// A code point of a word and its origin: the index of a code point of the text.
struct Letter {
  char32_t code_point = 0;
  int64_t origin = 0;
};

/// The code points of a text. Invalid UTF-8 becomes U+FFFD.
std::vector<Letter> letters_of(std::string_view text);
std::string to_utf8(const std::vector<Letter>& letters);

/// Converts each letter to lower case as Python's str.lower() does. With `sigma`, a capital sigma
/// at the end of a word becomes the final form, as in Python.
void lower_word(std::vector<Letter>& word, bool sigma);

class CharacterRules {
 public:
  /// Bits of properties().
  static constexpr uint8_t kDropped =
      1;  ///< removed: control, unassigned (recipe rules), U+FFFD, …
  static constexpr uint8_t kSpace = 2;        ///< ends a word
  static constexpr uint8_t kChinese = 4;      ///< a word of its own
  static constexpr uint8_t kPunctuation = 8;  ///< a token of its own inside a word
  static constexpr uint8_t kMark = 16;        ///< an accent (nonspacing mark)

  static const CharacterRules& of(TokenRules rules);

  uint8_t properties(char32_t code_point) const {
    return code_point < basic_.size() ? basic_[code_point] : search(code_point);
  }

  /// Lower case, and canonical decomposition (NFD) with removal of accents, in the order of the
  /// rules.
  void change(std::vector<Letter>& word, bool lower_case, bool strip_accents) const;
  void lower_and_strip(std::vector<Letter>& word) const { change(word, true, true); }

 private:
  explicit CharacterRules(TokenRules rules);
  uint8_t search(char32_t code_point) const;
  void fill(std::span<const tables::Range> ranges, uint8_t bit);
  bool decomposes(char32_t code_point) const;
  void decompose(std::vector<Letter>& word) const;
  void strip_marks(std::vector<Letter>& word) const;

  TokenRules rules_;
  std::span<const tables::Range> dropped_;
  std::span<const tables::Range> punctuation_;
  std::span<const tables::Range> marks_;
  std::array<uint8_t, 0x10000> basic_{};  // properties of code points below U+10000
};

}  // namespace bertha::text
