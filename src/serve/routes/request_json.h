#pragma once

// The JSON of a request, read with bounds: what is refused here never becomes a value. The parser
// of nlohmann::json keeps its state on the heap, so that no depth can overflow the stack.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.h"

namespace bertha::serve {

using Json = nlohmann::json;

struct JsonLimits {
  int64_t depth = 16;          ///< objects and arrays inside each other
  int64_t values = 1'000'000;  ///< scalars, objects and arrays of a text
};

/// A text that is not JSON, or beyond the limits; the message names the byte.
class JsonError : public Error {
 public:
  using Error::Error;
};

/// Throws JsonError for bytes that are not JSON (RFC 8259), and for: bytes that are not UTF-8,
/// half a surrogate pair, a key that its object has already, a number outside the range of double,
/// text behind the value, more than the limits.
Json parse_request_json(std::string_view text, const JsonLimits& limits = {});

/// "a number", "an object" …: for messages, which do not repeat texts of a request.
std::string_view kind_of(const Json& value);
/// A name of the request as a message shows it: cut to 64 bytes.
std::string shown_name(std::string_view name);

}  // namespace bertha::serve
