// Input: bytes as a model's config. Expected: an Error, or a config that is unchanged after writing
// and reading.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bert/config.h"
#include "core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bertha::bert;
  try {
    const Config config = parse_config({reinterpret_cast<const char*>(data), size}, "input");
    const std::string text = recipe_config_json(config);
    if (recipe_config_json(parse_config(text, "again")) != text) std::abort();
  } catch (const bertha::Error&) {
  }
  return 0;
}
