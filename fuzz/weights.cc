// Input: bytes as a weight file (torch.save, both formats, or safetensors). Expected: an Error, or
// tensors whose bytes can all be read.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "io/weights/tensor_source.h"

namespace {

/// Sums all bytes, so that the sanitizer sees each of them read.
uint64_t read_all(const bertha::io::TensorSource& source) {
  uint64_t sum = 0;
  for (const bertha::io::TensorInfo& info : source.tensors()) {
    const bertha::io::TensorData data = source.read(info.name);
    for (const std::byte value : data.bytes) sum += static_cast<uint64_t>(value);
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("input", 0);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    return 0;
  [[maybe_unused]] static volatile uint64_t sink = 0;
  try {
    sink = read_all(*bertha::io::open_weights("/proc/self/fd/" + std::to_string(file)));
  } catch (const bertha::Error&) {
  }
  return 0;
}
