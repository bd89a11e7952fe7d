#pragma once

// JSON of files, parsed with a bound on its nesting. The parser of nlohmann::json keeps its state
// on the heap, but what copies, compares or prints a value takes a stack frame for each level:
// without the bound, a file of brackets would end the program.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace bertha::io {

/// Objects and arrays inside each other, at most.
constexpr int64_t kMostJsonDepth = 256;

/// The byte at which a text is nested deeper than kMostJsonDepth, or -1.
int64_t find_deep_json(std::string_view text);

/// A whole number; nothing for another value, and for a number beyond int64_t.
std::optional<int64_t> whole_number(const nlohmann::json& value);

/// Parses a text into nlohmann::json or nlohmann::ordered_json. A text that is not JSON, or nested
/// deeper than kMostJsonDepth, gives a discarded value.
template <typename Json = nlohmann::json>
Json parse_json(std::string_view text) {
  if (find_deep_json(text) >= 0) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

}  // namespace bertha::io
