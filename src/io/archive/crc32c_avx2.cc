// CRC-32C by the processor's instruction (SSE 4.2, which every processor with AVX2 has).

#include "io/archive/crc32c_state.h"

#include <nmmintrin.h>

#include <cstring>

namespace bertha::io::detail {

uint32_t crc32c_by_instruction(const char* data, size_t size, uint32_t state) {
  uint64_t crc = state;
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), data += sizeof(uint64_t)) {
    uint64_t eight = 0;
    std::memcpy(&eight, data, sizeof(eight));
    crc = _mm_crc32_u64(crc, eight);
  }
  auto rest = static_cast<uint32_t>(crc);
  for (; size > 0; --size, ++data) {
    rest = _mm_crc32_u8(rest, static_cast<unsigned char>(*data));
  }
  return rest;
}

}  // namespace bertha::io::detail
