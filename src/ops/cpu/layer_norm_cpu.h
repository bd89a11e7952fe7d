#pragma once

// CPU side of layer_norm, which embedding shares.

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/tensor.h"
#include "ops/cpu/layer_norm_kernels.h"
#include "ops/dropout.h"
#include "ops/dropout_mask.h"

namespace bertha::ops {

/// Widest row: its dropout mask lives on the stack.
inline constexpr int64_t kMaxColumns = 16384;

/// The kernels for this processor.
const LayerNormKernels& layer_norm_kernels();
template <typename T>
const RowKernels<T>& row_kernels_of() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return layer_norm_kernels().f32;
  } else {
    return layer_norm_kernels().bf16;
  }
}

/// Rows that make a parallel range worth its start.
inline int64_t rows_per_range(int64_t columns) {
  return std::max<int64_t>(1, 16384 / columns);
}

/// Dropout's keep bits, a row at a time.
class RowMask {
 public:
  RowMask(const Dropout& dropout, int64_t columns)
      : stream_(dropout_stream(dropout)), scale_(dropout.scale()), columns_(columns) {}

  /// Valid until the next call.
  RowDropout row(int64_t index) {
    if (stream_.dropped_of_65536 == 0) return {};
    dropout_mask(stream_, index * columns_, columns_, bits_.data());
    return {.keep = bits_.data(), .scale = scale_};
  }

 private:
  DropoutStream stream_;
  float scale_;
  int64_t columns_;
  std::array<uint64_t, kMaxColumns / 64> bits_;
};

/// Gradients of gamma and beta are summed in blocks of rows, then block after block, so that they
/// depend on neither the thread count nor timing. Number of blocks for `rows` rows, and the scratch
/// [blocks, 2, H] f32 that holds them.
int64_t gradient_blocks(int64_t rows);
Shape gradient_partials(int64_t rows, int64_t columns);

void layer_norm_cpu(InOut z, const Tensor& residual, const Tensor& gamma, const Tensor& beta,
                    float eps, const Dropout& dropout, Out y, Out mean, Out rstd);

/// Backward pass of y = after(LayerNorm(z)), z = before(x) + residual, where `after` and `before`
/// are dropouts; see layer_norm_backward.
struct LayerNormGradient {
  Tensor z, mean, rstd, gamma;
  Dropout after, before;
  InOut d;
  Out d_x;
  InOut d_gamma, d_beta;
  Tensor partials;  ///< scratch, gradient_partials()
};
void layer_norm_backward_cpu(const LayerNormGradient& operands);

}  // namespace bertha::ops
