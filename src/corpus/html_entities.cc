#include "corpus/html_entities.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <unordered_map>

#include "core/utf8.h"
#include "corpus/html_entity_names.h"

namespace bertha::corpus {
namespace {

/// The longest name is "CounterClockwiseContourIntegral"; numbers may have leading zeros.
constexpr size_t kMaxBytes = 40;
constexpr uint32_t kFirstLegacy = 0x80;
constexpr uint32_t kLastLegacy = 0x9F;

/// What browsers show for &#128; to &#159;: the characters of Windows-1252. 0: nothing.
constexpr std::array<uint16_t, 32> kLegacy = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

using Names = std::unordered_map<std::string_view, std::string_view>;

const Names& entity_names() {
  static const Names kNames = [] {
    Names names;
    for (std::string_view rest = kEntityNames; !rest.empty();) {
      const size_t end = rest.find(' ');
      const size_t colon = rest.find(':');
      names.emplace(rest.substr(0, colon), rest.substr(colon + 1, end - colon - 1));
      rest.remove_prefix(end + 1);
    }
    return names;
  }();
  return kNames;
}

bool is_character(uint32_t code_point) {
  const bool is_control = code_point < 0x20 && code_point != '\n' && code_point != '\t';
  const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  const bool is_noncharacter =
      (code_point & 0xFFFE) == 0xFFFE || (code_point >= 0xFDD0 && code_point <= 0xFDEF);
  return !is_control && !is_surrogate && !is_noncharacter && code_point != 0x7F &&
         code_point <= 0x10FFFF;
}

void append_code_point(uint32_t code_point, std::string& out) {
  if (code_point >= kFirstLegacy && code_point <= kLastLegacy) {
    code_point = kLegacy[code_point - kFirstLegacy];
  }
  if (code_point != 0 && is_character(code_point)) append_utf8(code_point, out);
}

/// Appends the character of "#160" or "#xA0". False when it is not a number.
bool append_number(std::string_view name, std::string& out) {
  name.remove_prefix(1);
  const bool hex = name.starts_with('x') || name.starts_with('X');
  if (hex) name.remove_prefix(1);
  uint32_t code_point = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, failure] = std::from_chars(name.data(), end, code_point, hex ? 16 : 10);
  if (name.empty() || failure != std::errc() || rest != end) return false;
  append_code_point(code_point, out);
  return true;
}

bool append_named(std::string_view name, std::string& out) {
  const auto found = entity_names().find(name);
  if (found == entity_names().end()) return false;
  for (std::string_view codes = found->second; !codes.empty();) {
    const size_t end = std::min(codes.find('+'), codes.size());
    uint32_t code_point = 0;
    std::from_chars(codes.data(), codes.data() + end, code_point, 16);
    append_utf8(code_point, out);
    codes.remove_prefix(std::min(end + 1, codes.size()));
  }
  return true;
}

}  // namespace

size_t append_entity(std::string_view text, std::string& out) {
  const size_t end = text.substr(0, kMaxBytes).find(';');
  if (end == std::string_view::npos || end < 2) return 0;
  const std::string_view name = text.substr(1, end - 1);
  const bool known = name.front() == '#' ? append_number(name, out) : append_named(name, out);
  return known ? end + 1 : 0;
}

}  // namespace bertha::corpus
