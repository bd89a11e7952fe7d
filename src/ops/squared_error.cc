#include "ops/squared_error.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void SquaredError::check() const {
  const Tensor& x = predictions.tensor();
  BERTHA_CHECK(x.dtype() == DType::kF32 && x.shape().rank() == 2 && x.dim(1) == 1,
               "predictions are {} {}", name_of(x.dtype()), x.shape().to_string());
  check_vector(targets, DType::kF32, x.dim(0), "targets");
  check_loss(scale, result.tensor());
}

Cost SquaredError::cost() const {
  return {.bytes = 2 * predictions.tensor().size_bytes()};
}

void squared_error(Context& context, const SquaredError& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
