#include "ops/cross_entropy.h"

#include "core/error.h"
#include "core/profile.h"
#include "ops/cpu/cross_entropy_cpu.h"
#include "ops/cuda/cross_entropy_cuda.h"
#include "ops/device_of.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void cross_entropy(Context& context, InOut logits, const Tensor& labels, const Tensor& scale,
                   Out result) {
  const Tensor& x = logits.tensor();
  BERTHA_CHECK(x.dtype() == DType::kF32 || x.dtype() == DType::kBF16, "logits are {}",
               name_of(x.dtype()));
  BERTHA_CHECK(x.shape().rank() == 2 && x.dim(1) >= 1, "logits {}", x.shape().to_string());
  BERTHA_CHECK(labels.dtype() == DType::kI32 && labels.shape() == Shape{x.dim(0)},
               "labels are {} {}", name_of(labels.dtype()), labels.shape().to_string());
  check_loss(scale, result.tensor());
  const Context::Scope scope = context.scope();
  const Tensor row_results = context.make({x.dim(0), 2}, DType::kF64);
  if (context.dry()) return;
  if (on_cuda(context)) {
    return cross_entropy_cuda(cuda_of(context), logits, labels, scale, row_results, result);
  }
  const Timed timed(context.device(), "cross entropy",
                    [&] { return Cost{.bytes = bytes_of(x) + (scale.empty() ? 0 : bytes_of(x))}; });
  cross_entropy_cpu(logits, labels, scale, row_results, result);
}

}  // namespace bertha::ops
