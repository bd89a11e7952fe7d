#pragma once

// Scratch of the column sums on CUDA, known to the dispatching files.

#include <algorithm>
#include <cstdint>

#include "core/tensor.h"

namespace bertha::ops {

/// Blocks of rows that a sum over `rows` rows is cut into: a function of the rows alone, so that
/// sums are the same on every card.
inline int64_t partial_blocks(int64_t rows) {
  constexpr int64_t kRowsAtLeast = 32;
  constexpr int64_t kMost = 256;
  return std::clamp<int64_t>(rows / kRowsAtLeast, 1, kMost);
}

/// f32 scratch for `sums` sums of every column.
inline Shape partials_shape(int64_t rows, int64_t sums, int64_t columns) {
  return {partial_blocks(rows), sums, columns};
}

}  // namespace bertha::ops
