#pragma once

// The two ways to move the register of a CRC-32C over bytes, without the complements at its ends.
// The file for the processor's instruction includes nothing else of ours.

#include <cstddef>
#include <cstdint>

namespace bertha::io::detail {

/// Anywhere.
uint32_t crc32c_by_table(const char* data, size_t size, uint32_t state);
/// Where there is AVX2.
uint32_t crc32c_by_instruction(const char* data, size_t size, uint32_t state);

}  // namespace bertha::io::detail
