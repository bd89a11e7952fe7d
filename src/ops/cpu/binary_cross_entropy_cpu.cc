#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_view.h"
#include "ops/cpu/cpu_kernels.h"

namespace bertha::ops {

// The exponential is taken of -|x| alone, so that no logit overflows.
void CpuKernels::run(const BinaryCrossEntropy& op) {
  auto* const x = cpu::data<float>(op.logits);
  const auto* const target = cpu::data<float>(op.targets);
  const auto* const scale = cpu::data<float>(op.scale);
  double loss = 0;
  double right = 0;
  for (int64_t i = 0; i < op.targets.size(); ++i) {
    const double logit = double{x[i]};
    const double small = std::exp(-std::abs(logit));
    loss += std::max(logit, 0.0) - logit * double{target[i]} + std::log1p(small);
    right += (logit >= 0) == (target[i] >= 0.5F) ? 1 : 0;
    if (scale == nullptr) continue;
    const double sigmoid = (logit >= 0 ? 1 : small) / (1 + small);
    x[i] = static_cast<float>(double{*scale} * (sigmoid - double{target[i]}));
  }
  auto* const to = cpu::data<float>(op.result);
  to[0] = static_cast<float>(loss);
  to[1] = static_cast<float>(right);
}

}  // namespace bertha::ops
