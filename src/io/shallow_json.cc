#include "io/shallow_json.h"

#include <cstddef>
#include <utility>

namespace bertha::io {

int64_t find_deep_json(std::string_view text) {
  int64_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
      continue;
    }
    quoted = c == '"';
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMostJsonDepth) return static_cast<int64_t>(i);
  }
  return -1;
}

std::optional<int64_t> whole_number(const nlohmann::json& value) {
  if (!value.is_number_unsigned()) {
    return value.is_number_integer() ? std::optional(value.get<int64_t>()) : std::nullopt;
  }
  const auto number = value.get<uint64_t>();
  return std::in_range<int64_t>(number) ? std::optional(static_cast<int64_t>(number))
                                        : std::nullopt;
}

}  // namespace bertha::io
