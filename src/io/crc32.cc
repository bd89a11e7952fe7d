#include "io/crc32.h"

#include <libdeflate.h>

namespace bertha::io {

// libdeflate multiplies without carry where the processor can: zlib's sum would take longer than
// writing the checkpoint.
uint32_t crc32(std::span<const std::byte> data, uint32_t previous) {
  return data.empty() ? previous : libdeflate_crc32(previous, data.data(), data.size());
}

}  // namespace bertha::io
