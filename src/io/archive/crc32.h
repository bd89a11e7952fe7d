#pragma once

// CRC-32 (IEEE 802.3), the sum that zip archives carry.

#include <cstddef>
#include <cstdint>
#include <span>

namespace bertha::io {

/// CRC-32 of `data`; `previous` is the sum of the bytes before it, 0 at the start.
uint32_t crc32(std::span<const std::byte> data, uint32_t previous = 0);

}  // namespace bertha::io
