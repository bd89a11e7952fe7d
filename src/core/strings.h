#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bertha {

/// "a, b, c" for `separator` ", ".
inline std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

}  // namespace bertha
