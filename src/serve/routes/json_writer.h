#pragma once

// JSON as text, written without a tree in between. Numbers are the shortest texts that read back as
// the same value of their type (std::to_chars).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace bertha::serve {

/// A number that JSON cannot write: a model computed NaN or an infinity.
class NotFinite : public Error {
 public:
  NotFinite() : Error("the model computed a value that is not finite") {}
};

/// The caller opens and closes objects and arrays in pairs, and writes a key before each value of
/// an object. Commas are the writer's.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& null() { return raw("null"); }
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& whole(int64_t value);
  /// With ".0" or an exponent where it is a whole number. Throws NotFinite.
  JsonWriter& number(float value);
  JsonWriter& number(double value);
  /// Valid UTF-8. Escapes quotation marks, backslashes and control characters.
  JsonWriter& string(std::string_view text);
  /// An array of numbers.
  JsonWriter& numbers(std::span<const float> values);
  /// A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  /// The text; the writer is empty then.
  std::string take() { return std::exchange(text_, {}); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();
  template <typename T>
  void append_number(T value);

  std::string text_;
  bool comma_ = false;  ///< a value stands before the next one
};

/// Standard base64 with padding (RFC 4648, section 4).
std::string base64(std::span<const std::byte> bytes);
/// Base64 of the values as little-endian bytes. Throws NotFinite.
std::string base64(std::span<const float> values);

}  // namespace bertha::serve
