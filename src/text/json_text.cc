#include "text/json_text.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "io/foreign_file.h"
#include "io/shallow_json.h"

namespace bertha::text {
namespace {

/// `contents` with invalid UTF-8 replaced by U+FFFD.
std::string repair(std::string_view contents, JsonText& result) {
  std::string text;
  text.reserve(contents.size() + 16);
  const char* const end = contents.data() + contents.size();
  for (const char* at = contents.data(); at < end;) {
    const Decoded decoded = decode_utf8(at, end);
    if (decoded.valid) {
      text.append(at, static_cast<size_t>(decoded.length));
    } else {
      append_utf8(kReplacement, text);
      ++result.repaired;
    }
    at += decoded.length;
  }
  return text;
}

}  // namespace

JsonText parse_json_text(std::string_view contents, const std::string& path) {
  JsonText result;
  std::string repaired;
  if (const int64_t invalid = find_invalid_utf8(contents); invalid >= 0) {
    result.first_repair = invalid;
    repaired = repair(contents, result);
    contents = repaired;
  }
  if (const int64_t deep = io::find_deep_json(contents); deep >= 0) {
    fail("{}: not JSON that can be read: more than {} levels deep at byte {}", path,
         io::kMostJsonDepth, deep);
  }
  try {
    result.root = nlohmann::json::parse(contents);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string foreign = io::describe_foreign_file(contents);
    if (!foreign.empty()) fail("{}: expected JSON; this is {}", path, foreign);
    if (error.byte > contents.size()) fail("{}: not JSON: the text ends too early", path);
    const std::string_view before = contents.substr(0, error.byte);
    fail("{}: not JSON at byte {} (line {})", path, error.byte,
         1 + std::ranges::count(before, '\n'));
  } catch (const nlohmann::json::exception& error) {
    fail("{}: not JSON that can be read: {}", path, error.what());
  }
  return result;
}

}  // namespace bertha::text
