#include "ops/binary_cross_entropy.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void BinaryCrossEntropy::check() const {
  const Tensor& x = logits.tensor();
  BERTHA_CHECK(x.dtype() == DType::kF32 && x.shape().rank() == 2 && x.dim(1) >= 1,
               "logits are {} {}", name_of(x.dtype()), x.shape().to_string());
  BERTHA_CHECK(targets.dtype() == DType::kF32 && targets.shape() == x.shape(), "targets are {} {}",
               name_of(targets.dtype()), targets.shape().to_string());
  check_loss(scale, result.tensor());
}

Cost BinaryCrossEntropy::cost() const {
  const int64_t size = logits.tensor().size_bytes();
  return {.bytes = scale.empty() ? 2 * size : 3 * size};
}

void binary_cross_entropy(Context& context, const BinaryCrossEntropy& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
