#pragma once

// How sums over many rows or elements are cut into parts, and the scratch for the parts. The cuts
// depend on sizes alone, so that sums depend on neither the number of threads nor the GPU.

#include <algorithm>
#include <cstdint>

#include "core/tensor.h"
#include "ops/kernels.h"

namespace bertha::ops {

/// Blocks that `rows` rows are cut into for the gradients of gamma, beta and biases. Each block is
/// summed alone, then block after block is added.
inline int64_t partial_blocks(int64_t rows) {
  constexpr int64_t kRowsAtLeast = 32;
  constexpr int64_t kMost = 256;
  return std::clamp<int64_t>(rows / kRowsAtLeast, 1, kMost);
}

/// `sums` partial sums of every column for each block of rows.
inline ScratchShape partial_sums(int64_t rows, int64_t sums, int64_t columns) {
  return {.shape = {partial_blocks(rows), sums, columns}};
}

/// Loss and hit of each label.
inline ScratchShape loss_parts(const Tensor& labels) {
  return {.shape = {labels.size(), 2}, .dtype = DType::kF64};
}

/// `sums` sums of squares for each block of the spans.
inline ScratchShape block_squares(Spans spans, int64_t sums) {
  return {.shape = {norm_blocks(spans), sums}, .dtype = DType::kF64};
}
/// A factor for each span.
inline ScratchShape span_factors(Spans spans) {
  return {.shape = {std::ssize(spans)}};
}

}  // namespace bertha::ops
