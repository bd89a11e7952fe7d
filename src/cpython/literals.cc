#include "cpython/literals.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "core/utf8.h"

namespace bertha::cpython {

namespace {

/// Digits and exponent of d.ddd·10^e: the shortest decimal that converts back to the same double.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

Decimal shortest_decimal(double magnitude) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude,
                                    std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<size_t>(result.ptr - buffer.data()));
  const size_t mark = text.find('e');
  Decimal decimal;
  for (const char c : text.substr(0, mark)) {
    if (c != '.') decimal.digits.push_back(c);
  }
  const size_t exponent = mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + exponent, text.data() + text.size(), decimal.exponent);
  return decimal;
}

/// The decimal without an exponent: 0.0001, 12.5, 1000000.0.
std::string positional(const Decimal& decimal) {
  const auto& digits = decimal.digits;
  if (decimal.exponent < 0) {
    return "0." + std::string(static_cast<size_t>(-decimal.exponent - 1), '0') + digits;
  }
  const size_t whole = static_cast<size_t>(decimal.exponent) + 1;
  if (digits.size() <= whole) return digits + std::string(whole - digits.size(), '0') + ".0";
  return digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string exponential(const Decimal& decimal) {
  const std::string rest = decimal.digits.substr(1);
  return fmt::format("{}{}{}e{}{:02}", decimal.digits[0], rest.empty() ? "" : ".", rest,
                     decimal.exponent < 0 ? '-' : '+', std::abs(decimal.exponent));
}

std::string escape_ascii(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      return c < 0x20 || c == 0x7f ? fmt::format("\\u{:04x}", static_cast<int>(c))
                                   : std::string(1, c);
  }
}

std::string escape_code_point(uint32_t value) {
  if (value < 0x80) return escape_ascii(static_cast<char>(value));
  if (value < 0x10000) return fmt::format("\\u{:04x}", value);
  const uint32_t above = value - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (above >> 10), 0xdc00 + (above & 0x3ff));
}

}  // namespace

std::string repr_str(std::string_view text) {
  const bool doubled = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = doubled ? '"' : '\'';
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == '\n' || c == '\t' || c == '\r' || c == '\\') {
      quoted += escape_ascii(c);
    } else {
      if (c == quote) quoted += '\\';
      quoted += c;
    }
  }
  return quoted + quote;
}

std::string repr_float(double value) {
  if (std::isnan(value)) return "nan";
  const std::string sign = std::signbit(value) ? "-" : "";
  if (std::isinf(value)) return sign + "inf";
  const Decimal decimal = shortest_decimal(std::abs(value));
  const bool plain = decimal.exponent >= -4 && decimal.exponent < 16;
  return sign + (plain ? positional(decimal) : exponential(decimal));
}

std::string json_string(std::string_view text) {
  std::string json = "\"";
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    const Decoded decoded = decode_utf8(at, end);
    if (decoded.valid) {
      json += escape_code_point(decoded.code_point);
    } else {
      for (int i = 0; i < decoded.length; ++i) {
        json += fmt::format("\\udc{:02x}", static_cast<unsigned char>(at[i]));
      }
    }
    at += decoded.length;
  }
  return json + "\"";
}

}  // namespace bertha::cpython
