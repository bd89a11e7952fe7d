#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"

namespace bertha::ops {
namespace {

/// One column of a sequence: its logits are `stride` apart.
struct Column {
  float* x;
  int64_t tokens;
  int64_t stride;
  float& operator[](int64_t token) const { return x[token * stride]; }
};

/// The column's loss and hit; with `scale` it becomes its gradient.
void one_column(const Column& x, int64_t label, const float* scale, double* result) {
  result[0] = result[1] = 0;
  if (label == -1) {
    for (int64_t i = 0; scale != nullptr && i < x.tokens; ++i) x[i] = 0;
    return;
  }
  BERTHA_CHECK(label >= 0 && label < x.tokens, "label {} of {} tokens", label, x.tokens);
  int64_t best = 0;
  for (int64_t i = 1; i < x.tokens; ++i) {
    if (x[i] > x[best]) best = i;
  }
  const double largest = double{x[best]};
  double sum = 0;
  for (int64_t i = 0; i < x.tokens; ++i) sum += std::exp(double{x[i]} - largest);
  result[0] = std::log(sum) + largest - double{x[label]};
  result[1] = best == label ? 1 : 0;
  if (scale == nullptr) return;
  for (int64_t i = 0; i < x.tokens; ++i) {
    const double probability = std::exp(double{x[i]} - largest) / sum;
    x[i] = static_cast<float>(double{*scale} * (probability - (i == label ? 1.0 : 0.0)));
  }
}

}  // namespace

void CpuKernels::run(const SequenceCrossEntropy& op, const Scratch& scratch) {
  auto* const x = cpu::data<float>(op.logits);
  const auto* const start = cpu::data<int32_t>(op.seq_start);
  const auto* const label = cpu::data<int32_t>(op.labels);
  const auto* const factor = cpu::data<float>(op.scale);
  auto* const part = static_cast<double*>(cpu::address(scratch.values));
  const int64_t tokens = op.logits.tensor().dim(0);
  const int64_t columns = op.logits.tensor().dim(1);
  const int64_t sequences = op.labels.dim(0);
  BERTHA_CHECK(start[sequences] <= tokens, "{} tokens of {}", start[sequences], tokens);
  parallel_for(op.labels.size(), 4, [&](int64_t i) {
    const int64_t begin = start[i / columns];
    const Column column{x + begin * columns + i % columns, start[i / columns + 1] - begin, columns};
    one_column(column, label[i], factor, part + 2 * i);
  });
  if (factor != nullptr) std::fill(x + start[sequences] * columns, x + tokens * columns, 0.0F);
  double loss = 0;
  double hits = 0;
  for (int64_t i = 0; i < op.labels.size(); ++i) {
    loss += part[2 * i];
    hits += part[2 * i + 1];
  }
  auto* const to = cpu::data<float>(op.result);
  to[0] = static_cast<float>(loss);
  to[1] = static_cast<float>(hits);
}

}  // namespace bertha::ops
