#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bertha::text {

/// A JSON text that may hold bytes that are not UTF-8.
struct JsonText {  // NOLINT(bugprone-exception-escape): moving a json does not throw
  nlohmann::json root;
  int64_t repaired = 0;       ///< byte sequences replaced by U+FFFD
  int64_t first_repair = -1;  ///< byte offset of the first
};

/// Parses `contents` and skips a byte order mark. Throws Error that names `path` and the byte where
/// the text is not JSON or nested too deep (io/shallow_json.h).
JsonText parse_json_text(std::string_view contents, const std::string& path);

}  // namespace bertha::text
