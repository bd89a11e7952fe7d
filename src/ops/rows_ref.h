#pragma once

// Picking rows as the contract in rows.h writes it, for float, double or a dual number.

#include <cstddef>
#include <cstdint>
#include <span>

namespace bertha::ops::reference {

template <typename S>
void gather_rows(std::span<const S> x, std::span<const int32_t> rows, size_t columns,
                 std::span<S> y) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t c = 0; c < columns; ++c) {
      y[i * columns + c] = x[static_cast<size_t>(rows[i]) * columns + c];
    }
  }
}

/// d_x [T,H] is added to.
template <typename S>
void gather_rows_backward(std::span<const S> d_y, std::span<const int32_t> rows, size_t columns,
                          std::span<S> d_x) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t c = 0; c < columns; ++c) {
      d_x[static_cast<size_t>(rows[i]) * columns + c] += d_y[i * columns + c];
    }
  }
}

}  // namespace bertha::ops::reference
