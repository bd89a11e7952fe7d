#pragma once

// CRC-32C (Castagnoli), the checksum of TFRecord files and TensorFlow bundles.

#include <cstdint>
#include <string_view>

namespace bertha::io {

/// CRC-32C of `data`: polynomial 0x1EDC6F41 reflected, as RFC 3720 section 12.1 defines it.
/// `previous` is the CRC of the bytes before `data`, or 0 at the start.
uint32_t crc32c(std::string_view data, uint32_t previous = 0);

/// The masked form that TensorFlow stores: a CRC over data that contains CRCs stays useful.
constexpr uint32_t masked_crc32c(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace bertha::io
