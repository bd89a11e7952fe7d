#include "ops/sequence_cross_entropy.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void SequenceCrossEntropy::check() const {
  const Tensor& x = logits.tensor();
  BERTHA_CHECK(x.dtype() == DType::kF32 && x.shape().rank() == 2 && x.dim(1) >= 1,
               "logits are {} {}", name_of(x.dtype()), x.shape().to_string());
  BERTHA_CHECK(seq_start.dtype() == DType::kI32 && seq_start.shape().rank() == 1,
               "seq_start is {} {}", name_of(seq_start.dtype()), seq_start.shape().to_string());
  BERTHA_CHECK(
      labels.dtype() == DType::kI32 && labels.shape() == (Shape{seq_start.dim(0) - 1, x.dim(1)}),
      "labels are {} {}", name_of(labels.dtype()), labels.shape().to_string());
  check_loss(scale, result.tensor());
}

Cost SequenceCrossEntropy::cost() const {
  const int64_t size = logits.tensor().size_bytes();
  return {.bytes = scale.empty() ? size : 2 * size};
}

void sequence_cross_entropy(Context& context, const SequenceCrossEntropy& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
