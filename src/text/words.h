#pragma once

// Splits text into words, character by character. The tokenizer (for text beyond ASCII) and the
// vocabulary trainer both do this before they cut words into pieces.

#include <cstdint>
#include <vector>

#include "core/utf8.h"
#include "text/unicode.h"

namespace bertha::text {

/// The reading position in a text.
struct TextCursor {
  const char* p = nullptr;
  const char* end = nullptr;
  int64_t index = 0;  ///< number of code points before p
};

/// Reads the letters of a segment: up to white space, a Chinese character, or the place where
/// stop(p) is true. A Chinese character at the start is a segment of its own. Moves the cursor past
/// the letters read; it does not move if white space or a stop comes first.
template <typename Stop>
void read_stretch(const CharacterRules& rules, TextCursor& at, std::vector<Letter>& letters,
                  const Stop& stop) {
  letters.clear();
  while (at.p < at.end) {
    const Decoded decoded = decode_utf8(at.p, at.end);
    const uint8_t properties = rules.properties(decoded.code_point);
    if ((properties & CharacterRules::kSpace) != 0) return;
    const bool chinese = (properties & CharacterRules::kChinese) != 0;
    if (chinese && !letters.empty()) return;
    if (stop(at.p)) return;
    if ((properties & CharacterRules::kDropped) == 0) {
      letters.push_back({decoded.code_point, at.index});
    }
    at.p += decoded.length;
    ++at.index;
    if (chinese) return;
  }
}

/// Moves the cursor past one character.
inline void skip_character(TextCursor& at) {
  at.p += decode_utf8(at.p, at.end).length;
  ++at.index;
}

/// Calls visit(begin, end) for each word of a segment: one punctuation character, or a run of
/// others.
template <typename Visit>
void split_at_punctuation(const CharacterRules& rules, const std::vector<Letter>& letters,
                          const Visit& visit) {
  const auto is_punctuation = [&](size_t i) {
    return (rules.properties(letters[i].code_point) & CharacterRules::kPunctuation) != 0;
  };
  for (size_t begin = 0; begin < letters.size();) {
    size_t end = begin + 1;
    if (!is_punctuation(begin)) {
      while (end < letters.size() && !is_punctuation(end)) ++end;
    }
    visit(begin, end);
    begin = end;
  }
}

}  // namespace bertha::text
