#pragma once

// UTF-8 decoding and encoding. Decoding never fails: each maximal invalid part becomes one U+FFFD
// (Unicode 15, section 3.9), as with Python's errors="replace".

#include <cstdint>
#include <string>
#include <string_view>

namespace bertha {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point = 0;
  int length = 0;     ///< bytes consumed, at least 1
  bool valid = true;  ///< false: the bytes are not UTF-8 and code_point is kReplacement
};

/// Decodes the character at `p`; needs p < end.
Decoded decode_utf8(const char* p, const char* end);

void append_utf8(char32_t code_point, std::string& text);

/// Number of code points of valid UTF-8.
int64_t count_code_points(std::string_view text);

/// Byte offset of the first byte that is not valid UTF-8, or -1.
int64_t find_invalid_utf8(std::string_view text);

}  // namespace bertha
