// Input: bytes as a Snappy block. Expected: nothing, or at most the limit.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "io/archive/snappy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kLimit = 1 << 16;
  const auto out = bertha::io::snappy_expand({reinterpret_cast<const char*>(data), size}, kLimit);
  if (out && out->size() > kLimit) std::abort();
  return 0;
}
