// Sums of byte products with AMX-INT8.

#include "backend/cpu/amx_tiles.h"
#include "ops/cpu/int8_tiles.h"

namespace bertha::ops {
namespace {

/// gcc's intrinsics take the number of a tile as a literal alone, not as a template's parameter.
struct Tiles {
  template <int kTile>
  static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void load(const void* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2"
                     :
                     : "r"(from), "r"(stride), "i"(kTile)
                     : "memory");
  }
  template <int kTile, int kRows, int kPanel>
  static void dot() {
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0"
                     :
                     : "i"(kTile), "i"(kRows), "i"(kPanel));
  }
  template <int kTile>
  static void store(void* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)"
                     :
                     : "r"(to), "r"(stride), "i"(kTile)
                     : "memory");
  }
};

void multiply(const Int8Block& block) {
  const cpu::TileUnit unit;
  multiply_on_tiles<Tiles>(block);
}

Int8BlockShape shape(int64_t /*rows*/) {
  return {kInt8TileRows, 2};
}

}  // namespace

const Int8Products kInt8ProductsAmx = {shape, multiply};

}  // namespace bertha::ops
