#include "ops/copy.h"

#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {

void Copy::check() const {
  check_vector(to.tensor(), from.dtype(), from.size(), "to");
}

Cost Copy::cost() const {
  return {.bytes = bytes_of(from, to.tensor())};
}

void copy(Context& context, const Copy& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
