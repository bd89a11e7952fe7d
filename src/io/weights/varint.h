#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bertha::io {

/// Removes a base-128 number, low part first, from the front of `text`. Returns nothing when it is
/// cut off or longer than 64 bits.
inline std::optional<uint64_t> take_varint(std::string_view& text) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !text.empty(); shift += 7) {
    const auto unit = static_cast<uint8_t>(text.front());
    text.remove_prefix(1);
    if (shift == 63 && unit > 1) return std::nullopt;
    value |= uint64_t{unit & 0x7fU} << shift;
    if ((unit & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

}  // namespace bertha::io
