#include "core/utf8.h"

#include <algorithm>
#include <cstring>

namespace bertha {

namespace {

// The bytes that may follow a lead byte: how many, and the range of the first; the others are 0x80
// to 0xBF. This excludes overlong forms, surrogates and code points above U+10FFFF.
struct Lead {
  int more = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
};

Lead lead_of(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1};
  if (byte == 0xE0) return {2, 0xA0};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2};
  if (byte == 0xF0) return {3, 0x90};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  if (byte >= 0xF1 && byte <= 0xF3) return {3};
  return {};
}

}  // namespace

Decoded decode_utf8(const char* p, const char* end) {
  const auto first = static_cast<uint8_t>(*p);
  if (first < 0x80) return {first, 1, true};
  Lead lead = lead_of(first);
  if (lead.more == 0) return {kReplacement, 1, false};
  // A lead byte of n + 1 bytes carries 6 - n bits.
  auto code_point = static_cast<char32_t>(first & (0x3F >> lead.more));
  for (int i = 1; i <= lead.more; ++i) {
    const uint8_t byte = p + i < end ? static_cast<uint8_t>(p[i]) : uint8_t{0};
    if (byte < lead.low || byte > lead.high) return {kReplacement, i, false};
    code_point = (code_point << 6) | (byte & 0x3FU);
    lead.low = 0x80;
    lead.high = 0xBF;
  }
  return {code_point, lead.more + 1, true};
}

void append_utf8(char32_t code_point, std::string& text) {
  const auto c = static_cast<uint32_t>(code_point);
  const auto push = [&text](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
    return;
  }
  if (c < 0x800) {
    push(0xC0 | (c >> 6));
  } else {
    if (c < 0x10000) {
      push(0xE0 | (c >> 12));
    } else {
      push(0xF0 | (c >> 18));
      push(0x80 | ((c >> 12) & 0x3F));
    }
    push(0x80 | ((c >> 6) & 0x3F));
  }
  push(0x80 | (c & 0x3F));
}

int64_t count_code_points(std::string_view text) {
  return std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

int64_t find_invalid_utf8(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    uint64_t eight = 0;  // most texts are almost all ASCII: test eight bytes at once
    if (end - p >= 8) std::memcpy(&eight, p, 8);
    if (end - p >= 8 && (eight & 0x8080808080808080U) == 0) {
      p += 8;
      continue;
    }
    const Decoded decoded = decode_utf8(p, end);
    if (!decoded.valid) return p - text.data();
    p += decoded.length;
  }
  return -1;
}

}  // namespace bertha
