#include "ops/sequence_cross_entropy.h"

#include "core/error.h"
#include "core/profile.h"
#include "ops/cpu/sequence_cross_entropy_cpu.h"
#include "ops/cuda/sequence_cross_entropy_cuda.h"
#include "ops/device_of.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void sequence_cross_entropy(Context& context, InOut logits, const Tensor& seq_start,
                            const Tensor& labels, const Tensor& scale, Out result) {
  const Tensor& x = logits.tensor();
  BERTHA_CHECK(x.dtype() == DType::kF32 && x.shape().rank() == 2 && x.dim(1) >= 1,
               "logits are {} {}", name_of(x.dtype()), x.shape().to_string());
  BERTHA_CHECK(seq_start.dtype() == DType::kI32 && seq_start.shape().rank() == 1,
               "seq_start is {} {}", name_of(seq_start.dtype()), seq_start.shape().to_string());
  BERTHA_CHECK(
      labels.dtype() == DType::kI32 && labels.shape() == (Shape{seq_start.dim(0) - 1, x.dim(1)}),
      "labels are {} {}", name_of(labels.dtype()), labels.shape().to_string());
  check_loss(scale, result.tensor());
  const Context::Scope scope = context.scope();
  const Tensor parts = context.make({labels.size(), 2}, DType::kF64);
  if (context.dry()) return;
  if (on_cuda(context)) {
    return sequence_cross_entropy_cuda(cuda_of(context), logits, seq_start, labels, scale, parts,
                                       result);
  }
  const Timed timed(context.device(), "sequence cross entropy",
                    [&] { return Cost{.bytes = bytes_of(x) + (scale.empty() ? 0 : bytes_of(x))}; });
  sequence_cross_entropy_cpu(logits, seq_start, labels, scale, parts, result);
}

}  // namespace bertha::ops
