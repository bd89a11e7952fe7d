#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "core/parallel_for.h"
#include "ops/cpu/cpu_kernels.h"
#include "ops/cpu/cross_entropy_kernels.h"

namespace bertha::ops {
namespace {

template <typename E>
const SoftmaxKernels<E>& kernels() {
  static const CrossEntropyKernels all = cpu::best_isa() >= cpu::Isa::kAvx512
                                             ? cross_entropy_kernels_avx512()
                                             : cross_entropy_kernels_avx2();
  if constexpr (sizeof(E) == sizeof(float)) {
    return all.f32;
  } else {
    return all.bf16;
  }
}

float widen(float x) {
  return x;
}
float widen(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

/// One row's loss and hit; with `scale` the row becomes its gradient.
template <typename E>
void one_row(E* x, int64_t columns, int64_t label, const float* scale, double* result) {
  result[0] = result[1] = 0;
  if (label == -1) {
    if (scale != nullptr) std::memset(x, 0, static_cast<size_t>(columns) * sizeof(E));
    return;
  }
  BERTHA_CHECK(label >= 0 && label < columns, "label {} of {}", label, columns);
  const SoftmaxRow row = kernels<E>().sum(x, columns);
  const float logit = widen(x[label]);
  result[0] = std::log(static_cast<double>(row.sum)) + static_cast<double>(row.largest) -
              static_cast<double>(logit);
  // The lowest index of equals counts: nothing before the label may be as large.
  if (logit == row.largest && !kernels<E>().reaches(x, label, logit)) result[1] = 1;
  if (scale != nullptr) kernels<E>().gradient(x, columns, row, *scale, label);
}

template <typename E>
void all_rows(const CrossEntropy& op, double* results) {
  E* const x = static_cast<E*>(cpu::address(op.logits.tensor()));
  const int64_t columns = op.logits.tensor().dim(1);
  const auto* const label = cpu::data<int32_t>(op.labels);
  const auto* const factor = cpu::data<float>(op.scale);
  parallel_for(op.labels.dim(0), std::max<int64_t>(1, 4096 / columns), [&](int64_t row) {
    one_row<E>(x + row * columns, columns, label[row], factor, results + 2 * row);
  });
}

}  // namespace

void CpuKernels::run(const CrossEntropy& op, const Scratch& scratch) {
  auto* const rows = static_cast<double*>(cpu::address(scratch.values));
  const bool wide = op.logits.tensor().dtype() == DType::kF32;
  (wide ? all_rows<float> : all_rows<uint16_t>)(op, rows);
  double loss = 0;
  double hits = 0;
  for (int64_t row = 0; row < op.labels.size(); ++row) {
    loss += rows[2 * row];
    hits += rows[2 * row + 1];
  }
  auto* const to = cpu::data<float>(op.result);
  to[0] = static_cast<float>(loss);
  to[1] = static_cast<float>(hits);
}

}  // namespace bertha::ops
