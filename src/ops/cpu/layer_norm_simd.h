#pragma once

// The row kernels of layer_norm_kernels.h, compiled once an instruction set. A row is read from
// memory once; later passes find it in the first-level cache.

#include "ops/cpu/lanes.h"
#include "ops/cpu/layer_norm_kernels.h"

namespace bertha::ops {
namespace {

inline Lanes dropped(const Lanes& x, RowDropout dropout, int64_t column) {
  if (dropout.keep == nullptr) return x;
  const uint64_t bits = dropout.keep[column / 64] >> (column % 64);
  return keep(x * Lanes::all(dropout.scale), static_cast<uint32_t>(bits));
}

template <typename T>
void add_residual(T* z, const T* residual, RowDropout dropout, int64_t columns) {
  for_lanes(columns, [&](int64_t c, auto lanes) {
    Lanes x = dropped(Lanes::load(z + c, lanes), dropout, c);
    if (residual != nullptr) x = x + Lanes::load(residual + c, lanes);
    x.store(z + c, lanes);
  });
}

template <typename T>
void add_three(const float* a, const float* b, const float* c, T* z, int64_t columns) {
  for_lanes(columns, [&](int64_t i, auto lanes) {
    const Lanes two = Lanes::load(a + i, lanes) + Lanes::load(b + i, lanes);
    (two + Lanes::load(c + i, lanes)).store(z + i, lanes);
  });
}

template <typename T>
void normalise(const T* z, const float* gamma, const float* beta, float eps, RowDropout dropout,
               NormalisedRow<T> result, int64_t columns) {
  const auto count = static_cast<float>(columns);
  Lanes total = Lanes::all(0);
  for_lanes(columns, [&](int64_t c, auto lanes) { total = total + Lanes::load(z + c, lanes); });
  *result.mean = sum(total) / count;
  const Lanes mean = Lanes::all(*result.mean);

  Lanes squares = Lanes::all(0);
  for_lanes(columns, [&](int64_t c, auto lanes) {
    const Lanes centred = only(Lanes::load(z + c, lanes) - mean, lanes);
    squares = fma(centred, centred, squares);
  });
  *result.rstd = 1 / __builtin_sqrtf(sum(squares) / count + eps);
  const Lanes rstd = Lanes::all(*result.rstd);

  for_lanes(columns, [&](int64_t c, auto lanes) {
    const Lanes unit = (Lanes::load(z + c, lanes) - mean) * rstd;
    const Lanes y = fma(unit, Lanes::load(gamma + c, lanes), Lanes::load(beta + c, lanes));
    dropped(y, dropout, c).store(result.y + c, lanes);
  });
}

/// With g = d_y gamma and unit = (z - mean) rstd: d_z = rstd (g - mean(g) - unit mean(g unit)).
template <typename T>
void backward(const BackwardRow<T>& row, int64_t columns) {
  const Lanes mean = Lanes::all(row.mean);
  const Lanes rstd = Lanes::all(row.rstd);
  Lanes total = Lanes::all(0);
  Lanes total_unit = Lanes::all(0);
  for_lanes(columns, [&](int64_t c, auto lanes) {
    const Lanes d_y = Lanes::load(row.d + c, lanes);
    const Lanes unit = only((Lanes::load(row.z + c, lanes) - mean) * rstd, lanes);
    const Lanes g = d_y * Lanes::load(row.gamma + c, lanes);
    total = total + g;
    total_unit = fma(g, unit, total_unit);
    fma(d_y, unit, Lanes::load(row.d_gamma + c, lanes)).store(row.d_gamma + c, lanes);
    (Lanes::load(row.d_beta + c, lanes) + d_y).store(row.d_beta + c, lanes);
  });

  const Lanes mean_g = Lanes::all(sum(total) / static_cast<float>(columns));
  const Lanes mean_g_unit = Lanes::all(sum(total_unit) / static_cast<float>(columns));
  for_lanes(columns, [&](int64_t c, auto lanes) {
    const Lanes unit = (Lanes::load(row.z + c, lanes) - mean) * rstd;
    const Lanes g = Lanes::load(row.d + c, lanes) * Lanes::load(row.gamma + c, lanes);
    const Lanes d_z = (g - mean_g - unit * mean_g_unit) * rstd;
    d_z.store(row.d + c, lanes);
    if (row.d_x != nullptr) dropped(d_z, row.dropout, c).store(row.d_x + c, lanes);
  });
}

template <typename T>
void accumulate(const T* from, float* to, int64_t columns) {
  for_lanes(columns, [&](int64_t c, auto lanes) {
    (Lanes::load(to + c, lanes) + Lanes::load(from + c, lanes)).store(to + c, lanes);
  });
}

template <typename T>
constexpr RowKernels<T> row_kernels() {
  return {.add_residual = add_residual<T>,
          .add_three = add_three<T>,
          .normalise = normalise<T>,
          .backward = backward<T>,
          .accumulate = accumulate<T>};
}

}  // namespace
}  // namespace bertha::ops
