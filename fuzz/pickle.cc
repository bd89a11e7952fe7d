// Input: bytes as a pickle. Expected: an Error or a tree.

#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "io/weights/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bertha::io::PickleTree tree;
  try {
    const auto& root =
        bertha::io::read_pickle({reinterpret_cast<const char*>(data), size}, tree, "input");
    (void)root.description();
  } catch (const bertha::Error&) {
  }
  return 0;
}
