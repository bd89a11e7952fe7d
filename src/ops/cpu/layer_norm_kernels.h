#pragma once

// Row kernels that layer_norm and embedding share, one table an instruction set. Plain pointers
// alone: the files that fill the tables must not pull in inline code of other headers.

#include <cstdint>

namespace bertha::ops {

/// Dropout of one row: bit c % 64 of keep[c / 64] says whether column c is kept, kept values are
/// multiplied by `scale`. Null: nothing is dropped.
struct RowDropout {
  const uint64_t* keep = nullptr;
  float scale = 1;
};

/// What normalising a row writes: y [columns], and the row's two statistics.
template <typename T>
struct NormalisedRow {
  T* y;
  float* mean;
  float* rstd;
};

/// Operands of one row's backward pass; d, d_x, d_gamma, d_beta as in layer_norm_backward.
template <typename T>
struct BackwardRow {
  const T* z;
  float mean;
  float rstd;
  const float* gamma;
  T* d;
  T* d_x;  ///< null: not wanted
  RowDropout dropout;
  float* d_gamma;
  float* d_beta;
};

/// T is float, or uint16_t for the bits of bf16. Lengths are in elements, any from 1 up.
template <typename T>
struct RowKernels {
  /// z = dropout(z) + residual (null: 0).
  void (*add_residual)(T* z, const T* residual, RowDropout dropout, int64_t columns);
  /// z = a + b + c.
  void (*add_three)(const float* a, const float* b, const float* c, T* z, int64_t columns);
  /// y = dropout((z - mean) * rstd * gamma + beta).
  void (*normalise)(const T* z, const float* gamma, const float* beta, float eps,
                    RowDropout dropout, NormalisedRow<T> result, int64_t columns);
  void (*backward)(const BackwardRow<T>& row, int64_t columns);
  /// to += from.
  void (*accumulate)(const T* from, float* to, int64_t columns);
};

struct LayerNormKernels {
  RowKernels<float> f32;
  RowKernels<uint16_t> bf16;
};
extern const LayerNormKernels kLayerNormAvx2;
extern const LayerNormKernels kLayerNormAvx512;

}  // namespace bertha::ops
