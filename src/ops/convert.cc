#include "ops/convert.h"

#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void Convert::check() const {
  const bool narrows = from.dtype() == DType::kF32;
  check_vector(from, narrows ? DType::kF32 : DType::kBF16, from.size(), "from");
  check_vector(to.tensor(), narrows ? DType::kBF16 : DType::kF32, from.size(), "to");
}

Cost Convert::cost() const {
  return {.bytes = bytes_of(from, to.tensor())};
}

void convert(Context& context, const Convert& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
