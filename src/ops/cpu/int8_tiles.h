#pragma once

// The sums of a block on AMX tiles: 32 rows by 2 panels in four tiles of sums, 64 inputs a step.
// A panel's 64 inputs are a tile as they lie in memory. The tile unit is a parameter, because few
// machines have one: the tests run the same code on a plain emulation of its instructions.

#include <cstdint>

#include "ops/cpu/int8_kernels.h"

namespace bertha::ops {
namespace {

/// Unit::zero<T>(), load<T>(from, stride in bytes), dot<T, X, W>() (T += X W, unsigned by signed),
/// store<T>(to, stride): on tiles of 16 rows of 64 bytes. Tiles 0 to 3 are sums, 4 and 5 hold rows
/// of x, 6 and 7 panels.
template <typename Unit>
void multiply_on_tiles(const Int8Block& block) {
  const int64_t panel_bytes = 16 * block.depth;
  const bool two_panels = block.panels > 1;
  const bool two_halves = block.rows > 16;
  Unit::template zero<0>();
  Unit::template zero<1>();
  Unit::template zero<2>();
  Unit::template zero<3>();
  for (int64_t k = 0; k < block.depth; k += 64) {
    Unit::template load<4>(block.x + k, block.depth);
    Unit::template load<6>(block.w + 16 * k, 64);
    Unit::template dot<0, 4, 6>();
    if (two_panels) {
      Unit::template load<7>(block.w + panel_bytes + 16 * k, 64);
      Unit::template dot<1, 4, 7>();
    }
    if (!two_halves) continue;
    Unit::template load<5>(block.x + 16 * block.depth + k, block.depth);
    Unit::template dot<2, 5, 6>();
    if (two_panels) Unit::template dot<3, 5, 7>();
  }
  const int64_t row = 16 * block.panels;  // sums of a row
  const int64_t stride = row * int64_t{sizeof(int32_t)};
  Unit::template store<0>(block.sums, stride);
  if (two_panels) Unit::template store<1>(block.sums + 16, stride);
  if (!two_halves) return;
  Unit::template store<2>(block.sums + 16 * row, stride);
  if (two_panels) Unit::template store<3>(block.sums + 16 * row + 16, stride);
}

}  // namespace
}  // namespace bertha::ops
