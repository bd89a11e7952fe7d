#include "ops/cross_entropy.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void CrossEntropy::check() const {
  const Tensor& x = logits.tensor();
  BERTHA_CHECK(x.dtype() == DType::kF32 || x.dtype() == DType::kBF16, "logits are {}",
               name_of(x.dtype()));
  BERTHA_CHECK(x.shape().rank() == 2 && x.dim(1) >= 1, "logits {}", x.shape().to_string());
  BERTHA_CHECK(labels.dtype() == DType::kI32 && labels.shape() == Shape{x.dim(0)},
               "labels are {} {}", name_of(labels.dtype()), labels.shape().to_string());
  check_loss(scale, result.tensor());
}

Cost CrossEntropy::cost() const {
  const int64_t size = logits.tensor().size_bytes();
  return {.bytes = scale.empty() ? size : 2 * size};
}

void cross_entropy(Context& context, const CrossEntropy& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
