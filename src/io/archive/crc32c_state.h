#pragma once

// Two ways to update the CRC-32C register over bytes, without the complements at its start and end.
// The file for the processor's instruction includes no other header of this project.

#include <cstddef>
#include <cstdint>

namespace bertha::io::detail {

/// Works on every processor.
uint32_t crc32c_by_table(const char* data, size_t size, uint32_t state);
/// Needs a processor with AVX2.
uint32_t crc32c_by_instruction(const char* data, size_t size, uint32_t state);

}  // namespace bertha::io::detail
