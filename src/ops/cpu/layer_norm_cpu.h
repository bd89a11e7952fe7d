#pragma once

// CPU side of layer_norm, which embedding shares.

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/tensor.h"
#include "ops/cpu/dropout_kernels.h"
#include "ops/cpu/layer_norm_kernels.h"
#include "ops/dropout.h"
#include "ops/layer_norm.h"

namespace bertha::ops {

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

/// Dropout's keep bits, a row at a time; those of the widest row fit on the stack.
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

/// The backward pass of y = after(LayerNorm(z)), where `after` is a dropout: LayerNormBackward's
/// own without it, embedding's with it. `partials` is scratch, partial_sums().
void layer_norm_backward_cpu(const LayerNormBackward& op, const Dropout& after,
                             const Tensor& partials);

}  // namespace bertha::ops
