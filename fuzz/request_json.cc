// Input: bytes as the JSON of a request. Expected: a JsonError, or a value within the limits that
// is the same after writing and reading it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/routes/request_json.h"

namespace {

using namespace bertha::serve;

int64_t depth_of(const Json& value) {
  int64_t below = 0;
  if (!value.is_structured()) return below;
  for (const Json& part : value) below = std::max(below, depth_of(part));
  return below + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const JsonLimits limits = {.depth = 8, .values = 64};
  try {
    const Json value = parse_request_json(text, limits);
    if (depth_of(value) > limits.depth) std::abort();
    if (parse_request_json(value.dump(), limits) != value) std::abort();
    if (shown_name(text).size() > 64 + 3) std::abort();
  } catch (const JsonError&) {
  }
  return 0;
}
