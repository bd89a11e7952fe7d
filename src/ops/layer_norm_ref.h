#pragma once

// LayerNorm with residual and dropout as the contract in layer_norm.h writes it, for float, double
// or a dual number. One row at a time; all arrays are dense.

#include <cmath>
#include <cstdint>
#include <vector>

#include "ops/dropout.h"

namespace bertha::ops::reference {

/// What dropout multiplies `element` by: 0 or the scale; 1 without dropout.
inline double dropout_factor(const Dropout& dropout, uint64_t seed, uint32_t draw,
                             int64_t element) {
  if (!dropout.active()) return 1;
  return dropout_keeps(dropout, seed, draw, element) ? static_cast<double>(dropout.scale()) : 0;
}

template <typename S>
struct RowStatistics {
  S mean{};
  S rstd{};
};

template <typename S>
RowStatistics<S> row_statistics(const std::vector<S>& z, double eps) {
  using std::sqrt;
  const S count = static_cast<S>(static_cast<double>(z.size()));
  S sum{};
  for (const S& value : z) sum += value;
  const S mean = sum / count;
  S squares{};
  for (const S& value : z) squares += (value - mean) * (value - mean);
  return {mean, S(1) / sqrt(squares / count + S(eps))};
}

/// y of one row.
template <typename S>
std::vector<S> layer_norm_row(const std::vector<S>& z, const std::vector<S>& gamma,
                              const std::vector<S>& beta, double eps) {
  const RowStatistics<S> row = row_statistics(z, eps);
  std::vector<S> y(z.size());
  for (size_t c = 0; c < z.size(); ++c) y[c] = (z[c] - row.mean) * row.rstd * gamma[c] + beta[c];
  return y;
}

/// The gradient of one row's z; d_gamma and d_beta are added to. With g = d_y gamma and
/// unit = (z - mean) rstd: d_z = rstd (g - mean(g) - unit mean(g unit)).
template <typename S>
std::vector<S> layer_norm_row_backward(const std::vector<S>& z, const std::vector<S>& gamma,
                                       double eps, const std::vector<S>& d_y,
                                       std::vector<S>& d_gamma, std::vector<S>& d_beta) {
  const RowStatistics<S> row = row_statistics(z, eps);
  S mean_g{};
  S mean_g_unit{};
  for (size_t c = 0; c < z.size(); ++c) {
    const S unit = (z[c] - row.mean) * row.rstd;
    mean_g += d_y[c] * gamma[c];
    mean_g_unit += d_y[c] * gamma[c] * unit;
    d_gamma[c] += d_y[c] * unit;
    d_beta[c] += d_y[c];
  }
  const S count = static_cast<S>(static_cast<double>(z.size()));
  mean_g /= count;
  mean_g_unit /= count;
  std::vector<S> d_z(z.size());
  for (size_t c = 0; c < z.size(); ++c) {
    const S unit = (z[c] - row.mean) * row.rstd;
    d_z[c] = (d_y[c] * gamma[c] - mean_g - unit * mean_g_unit) * row.rstd;
  }
  return d_z;
}

}  // namespace bertha::ops::reference
