#pragma once

// The kernels of cross_entropy_kernels.h, compiled once an instruction set.

#include "ops/cpu/cross_entropy_kernels.h"
#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

constexpr int64_t kWidth = Floats::kWidth;
/// Independent sums hide the latency of an addition; short blocks keep rounding errors small.
constexpr int64_t kChains = 4;
constexpr int64_t kSumBlock = 1024;
constexpr float kLowest = -3.402823466e38F;

template <typename E>
float row_maximum(const E* x, int64_t columns) {
  Floats most = Floats::all(kLowest);
  int64_t i = 0;
  for (; i + kWidth <= columns; i += kWidth) most = max(most, Floats::load(x + i));
  if (i < columns) {
    // Lanes past the end hold 0: they take the first element of the rest instead.
    const Floats rest = Floats::load(x + i, columns - i);
    float lanes[kWidth];
    rest.store(lanes);
    for (int64_t lane = columns - i; lane < kWidth; ++lane) lanes[lane] = lanes[0];
    most = max(most, Floats::load(lanes));
  }
  return largest(most);
}

/// Σ e^(x - shift), lane by lane; `columns` is a multiple of kWidth.
template <typename E>
Floats exp_sum(const E* x, int64_t columns, Floats shift) {
  Floats sums[kChains] = {Floats::all(0), Floats::all(0), Floats::all(0), Floats::all(0)};
  int64_t i = 0;
  for (; i + kChains * kWidth <= columns; i += kChains * kWidth) {
    for (int64_t c = 0; c < kChains; ++c) {
      sums[c] = sums[c] + exp(Floats::load(x + i + c * kWidth) - shift);
    }
  }
  for (; i < columns; i += kWidth) sums[0] = sums[0] + exp(Floats::load(x + i) - shift);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <typename E>
SoftmaxRow softmax_sum(const E* x, int64_t columns) {
  const float most = row_maximum(x, columns);
  const Floats shift = Floats::all(most);
  const int64_t whole = columns / kWidth * kWidth;
  Floats total = Floats::all(0);
  for (int64_t i = 0; i < whole; i += kSumBlock) {
    total = total + exp_sum(x + i, whole - i < kSumBlock ? whole - i : kSumBlock, shift);
  }
  float rest = 0;
  if (whole < columns) {
    float lanes[kWidth];
    exp(Floats::load(x + whole, columns - whole) - shift).store(lanes);
    for (int64_t lane = 0; lane < columns - whole; ++lane) rest += lanes[lane];
  }
  return {most, sum(total) + rest};
}

template <typename E>
void softmax_gradient(E* x, int64_t columns, SoftmaxRow row, float scale, int64_t label) {
  const Floats shift = Floats::all(row.largest);
  const Floats factor = Floats::all(scale / row.sum);
  // The label's element, p - 1, is formed before it is rounded to E.
  float at_label[kWidth] = {};
  const int64_t label_block = label / kWidth * kWidth;
  at_label[label - label_block] = scale;
  for (int64_t i = 0; i < columns; i += kWidth) {
    const int64_t lanes = columns - i < kWidth ? columns - i : kWidth;
    const Floats logits = lanes == kWidth ? Floats::load(x + i) : Floats::load(x + i, lanes);
    Floats gradient = exp(logits - shift) * factor;
    if (i == label_block) gradient = gradient - Floats::load(at_label);
    lanes == kWidth ? gradient.store(x + i) : gradient.store(x + i, lanes);
  }
}

template <typename E>
bool reaches(const E* x, int64_t columns, float value) {
  return columns > 0 && row_maximum(x, columns) >= value;
}

template <typename E>
constexpr SoftmaxKernels<E> kSoftmaxKernels = {softmax_sum<E>, softmax_gradient<E>, reaches<E>};

}  // namespace
}  // namespace bertha::ops
