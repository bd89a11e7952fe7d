#pragma once

// UTF-8 in and out. Decoding never fails: what is not UTF-8 reads as U+FFFD, one for each maximal
// part that could have begun a character (Unicode 15, section 3.9), as Python's errors="replace".

#include <cstdint>
#include <string>
#include <string_view>

namespace bertha {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point = 0;
  int length = 0;     ///< bytes taken, at least 1
  bool valid = true;  ///< false: these bytes are not UTF-8 and code_point is kReplacement
};

/// The character at `p`; needs p < end.
Decoded decode_utf8(const char* p, const char* end);

void append_utf8(char32_t code_point, std::string& text);

/// Byte offset of the first byte that is not part of UTF-8, or -1.
int64_t find_invalid_utf8(std::string_view text);

}  // namespace bertha
