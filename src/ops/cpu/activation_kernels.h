#pragma once

// The element-wise kernels of linear: GELU, and the gradients of GELU and tanh fused with the
// column sums that the bias gradient needs. bf16 elements are their 16 bits.

#include <cstdint>

namespace bertha::ops {

/// Rows of a matrix from a column on: where a kernel works.
struct ColumnBlock {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0;  ///< elements from row to row
};

template <typename E>
struct ElementKernels {
  /// y = x Φ(x), `count` elements.
  void (*gelu)(const E* x, E* y, int64_t count);
  /// d *= gelu'(x); with `sums`, sums[column] += Σ of the results.
  void (*gelu_gradient)(E* d, const E* x, ColumnBlock block, float* sums);
  /// d *= 1 - y²; sums as above.
  void (*tanh_gradient)(E* d, const E* y, ColumnBlock block, float* sums);
  /// sums[column] += Σ d.
  void (*column_sums)(const E* d, ColumnBlock block, float* sums);
};

struct ActivationKernels {
  ElementKernels<float> f32;
  ElementKernels<uint16_t> bf16;
};

ActivationKernels activation_kernels_avx2();
ActivationKernels activation_kernels_avx512();

}  // namespace bertha::ops
