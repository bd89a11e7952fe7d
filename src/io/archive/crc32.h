#pragma once

// CRC-32 (IEEE 802.3), the checksum of zip archives.

#include <cstddef>
#include <cstdint>
#include <span>

namespace bertha::io {

/// CRC-32 of `data`. `previous` is the CRC of the bytes before `data`, or 0 at the start.
uint32_t crc32(std::span<const std::byte> data, uint32_t previous = 0);

}  // namespace bertha::io
