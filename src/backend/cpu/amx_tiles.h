#pragma once

// The tile unit of AMX, for files built for it (*_amx.cc). The namespace is anonymous, so that the
// linker cannot merge this code with that of files built for other processors.

#include <immintrin.h>

#include <cstdint>

namespace bertha::cpu {
namespace {

/// Configures all eight tiles as 16 rows of 64 bytes. The destructor releases them, because other
/// users of the tile unit on this thread configure their own.
class TileUnit {
 public:
  TileUnit() {
    struct alignas(64) {
      uint8_t palette = 1;
      uint8_t start_row = 0;
      uint8_t reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } const config;
    static_assert(sizeof(config) == 64);
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  ~TileUnit() { _tile_release(); }
  TileUnit(const TileUnit&) = delete;
  TileUnit& operator=(const TileUnit&) = delete;
};

/// The compiler does not see that tile instructions read and write memory.
inline void memory_barrier() {
  __asm__ volatile("" : : : "memory");
}

}  // namespace
}  // namespace bertha::cpu
