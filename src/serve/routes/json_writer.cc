#include "serve/routes/json_writer.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace bertha::serve {

static_assert(std::endian::native == std::endian::little, "base64 writes floats as they lie");

void JsonWriter::separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  text_ += bracket;
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  text_ += bracket;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  string(name);
  text_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

JsonWriter& JsonWriter::whole(int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return raw({digits.data(), end});
}

template <typename T>
void JsonWriter::append_number(T value) {
  if (!std::isfinite(value)) throw NotFinite();
  std::array<char, 32> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const std::string_view written(digits.data(), end);
  text_ += written;
  // Clients with types take "1" for a whole number.
  if (written.find_first_of(".e") == std::string_view::npos) text_ += ".0";
}

JsonWriter& JsonWriter::number(float value) {
  separate();
  append_number(value);
  return *this;
}

JsonWriter& JsonWriter::number(double value) {
  separate();
  append_number(value);
  return *this;
}

JsonWriter& JsonWriter::numbers(std::span<const float> values) {
  begin_array();
  text_.reserve(text_.size() + 12 * values.size());
  for (const float value : values) {
    separate();
    append_number(value);
  }
  return end_array();
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  text_ += '"';
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    text_.append(text, copied, i - copied);
    copied = i + 1;
    switch (c) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\r':
        text_ += "\\r";
        break;
      case '\t':
        text_ += "\\t";
        break;
      default:
        text_ += fmt::format("\\u{:04x}", c);
    }
  }
  text_.append(text, copied);
  text_ += '"';
  return *this;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? std::to_integer<uint32_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += k <= count ? kLetters[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

std::string base64(std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) throw NotFinite();
  }
  return base64(std::as_bytes(values));
}

}  // namespace bertha::serve
