#include "io/archive/crc32c.h"

#include <array>
#include <cstddef>

#include "io/archive/crc32c_state.h"

namespace bertha::io {

namespace {

constexpr uint32_t kReflectedPolynomial = 0x82F63B78U;

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kReflectedPolynomial : 0U);
    }
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = make_table();

}  // namespace

uint32_t detail::crc32c_by_table(const char* data, size_t size, uint32_t state) {
  for (size_t i = 0; i < size; ++i) {
    state = (state >> 8) ^ kTable[(state ^ static_cast<unsigned char>(data[i])) & 0xffU];
  }
  return state;
}

// The table method takes seconds for a large TensorFlow checkpoint.
uint32_t crc32c(std::string_view data, uint32_t previous) {
  static const auto advance =
      __builtin_cpu_supports("avx2") != 0 ? detail::crc32c_by_instruction : detail::crc32c_by_table;
  return ~advance(data.data(), data.size(), ~previous);
}

}  // namespace bertha::io
