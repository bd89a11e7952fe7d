// Input: bytes as a zip archive. Expected: an Error, or entries that are readable or damaged.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/archive/zip.h"

namespace {

void read_all(const bertha::io::ZipReader& zip) {
  std::vector<std::byte> buffer;
  for (const bertha::io::ZipEntry& entry : zip.entries()) {
    try {
      if (zip.read(entry, buffer).size() != entry.size) std::abort();
    } catch (const bertha::Error&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("input", 0);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    return 0;
  try {
    const bertha::io::MappedFile mapped("/proc/self/fd/" + std::to_string(file));
    read_all(bertha::io::ZipReader(mapped));
  } catch (const bertha::Error&) {
  }
  return 0;
}
