#pragma once

// Row kernels of cross_entropy. bf16 logits are their 16 bits.

#include <cstdint>

namespace bertha::ops {

struct SoftmaxRow {
  float largest;
  float sum;  ///< Σ e^(x - largest)
};

template <typename E>
struct SoftmaxKernels {
  SoftmaxRow (*sum)(const E* x, int64_t columns);
  /// x = scale (e^(x - row.largest) / row.sum - (column == label)).
  void (*gradient)(E* x, int64_t columns, SoftmaxRow row, float scale, int64_t label);
  /// Whether one of the first `columns` elements is at least `value`.
  bool (*reaches)(const E* x, int64_t columns, float value);
};

struct CrossEntropyKernels {
  SoftmaxKernels<float> f32;
  SoftmaxKernels<uint16_t> bf16;
};

CrossEntropyKernels cross_entropy_kernels_avx2();
CrossEntropyKernels cross_entropy_kernels_avx512();

}  // namespace bertha::ops
