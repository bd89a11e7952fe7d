#pragma once

// GELU, its gradient and the gradient of tanh on vectors: the kernels of activation_kernels.h.
// activation_avx2.cc and activation_avx512.cc each compile them for one instruction set.

#include "ops/cpu/activation_kernels.h"
#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

constexpr int64_t kWidth = Floats::kWidth;
/// A tile of rows by columns stays in the first-level cache while its columns are summed.
constexpr int64_t kTileRows = 16;
constexpr int64_t kTileColumns = 256;

template <typename E>
Floats load(const E* from, int64_t count) {
  return count == kWidth ? Floats::load(from) : Floats::load(from, count);
}
template <typename E>
void store(Floats value, E* to, int64_t count) {
  count == kWidth ? value.store(to) : value.store(to, count);
}

inline Floats gelu_slope(Floats x) {
  const Normal at = normal(x);
  return fma(x * Floats::all(0.398942280F), at.bell, at.cdf);
}
inline Floats tanh_slope(Floats y) {
  return fma(Floats::all(0.0F) - y, y, Floats::all(1.0F));
}

template <typename E>
void gelu(const E* x, E* y, int64_t count) {
  for (int64_t i = 0; i < count; i += kWidth) {
    const int64_t lanes = count - i < kWidth ? count - i : kWidth;
    const Floats value = load(x + i, lanes);
    store(value * normal(value).cdf, y + i, lanes);
  }
}

/// Σ over the rows of one tile of change(row), kWidth columns or fewer.
template <typename Change>
Floats sum_of_rows(int64_t begin, int64_t end, const Change& change) {
  Floats sum = Floats::all(0.0F);
  for (int64_t row = begin; row < end; ++row) sum = sum + change(row);
  return sum;
}

/// Calls change(row, column, lanes), which gives a vector, everywhere in the block and adds up the
/// columns: rows of a tile first, then tile after tile, which keeps rounding errors small.
template <typename Change>
void walk(ColumnBlock block, float* sums, const Change& change) {
  for (int64_t left = 0; left < block.columns; left += kTileColumns) {
    const int64_t right = block.columns - left < kTileColumns ? block.columns : left + kTileColumns;
    float totals[kTileColumns] = {};
    for (int64_t top = 0; top < block.rows; top += kTileRows) {
      const int64_t bottom = block.rows - top < kTileRows ? block.rows : top + kTileRows;
      for (int64_t column = left; column < right; column += kWidth) {
        const int64_t lanes = right - column < kWidth ? right - column : kWidth;
        const Floats sum =
            sum_of_rows(top, bottom, [&](int64_t row) { return change(row, column, lanes); });
        float* const total = totals + (column - left);
        (Floats::load(total) + sum).store(total);
      }
    }
    if (sums == nullptr) continue;
    for (int64_t column = left; column < right; ++column) sums[column] += totals[column - left];
  }
}

template <typename E>
void gelu_gradient(E* d, const E* x, ColumnBlock block, float* sums) {
  walk(block, sums, [=](int64_t row, int64_t column, int64_t lanes) {
    const int64_t at = row * block.stride + column;
    const Floats changed = load(d + at, lanes) * gelu_slope(load(x + at, lanes));
    store(changed, d + at, lanes);
    return changed;
  });
}

template <typename E>
void tanh_gradient(E* d, const E* y, ColumnBlock block, float* sums) {
  walk(block, sums, [=](int64_t row, int64_t column, int64_t lanes) {
    const int64_t at = row * block.stride + column;
    const Floats changed = load(d + at, lanes) * tanh_slope(load(y + at, lanes));
    store(changed, d + at, lanes);
    return changed;
  });
}

template <typename E>
void column_sums(const E* d, ColumnBlock block, float* sums) {
  walk(block, sums, [=](int64_t row, int64_t column, int64_t lanes) {
    return load(d + row * block.stride + column, lanes);
  });
}

template <typename E>
constexpr ElementKernels<E> kElementKernels = {gelu<E>, gelu_gradient<E>, tanh_gradient<E>,
                                               column_sums<E>};

}  // namespace
}  // namespace bertha::ops
