#include "cpython/str_rules.h"

#include <utf8proc.h>

#include "core/utf8.h"

namespace bertha::cpython {

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_python_alphanumeric(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 0x20U) >= 'a' && (c | 0x20U) <= 'z');
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

std::vector<std::string_view> split_at_spaces(std::string_view text) {
  std::vector<std::string_view> words;
  const char* const end = text.data() + text.size();
  const char* begin = nullptr;  // of the current word
  for (const char* at = text.data(); at < end;) {
    const Decoded decoded = decode_utf8(at, end);
    const bool space = is_python_space(decoded.code_point);
    if (!space && begin == nullptr) begin = at;
    if (space && begin != nullptr) {
      words.emplace_back(begin, static_cast<size_t>(at - begin));
      begin = nullptr;
    }
    at += decoded.length;
  }
  if (begin != nullptr) words.emplace_back(begin, static_cast<size_t>(end - begin));
  return words;
}

}  // namespace bertha::cpython
