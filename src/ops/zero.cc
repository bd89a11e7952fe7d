#include "ops/zero.h"

#include "core/error.h"
#include "ops/dispatch.h"

namespace bertha::ops {

void Zero::check() const {
  BERTHA_CHECK(!to.empty(), "zero without a tensor");
}

Cost Zero::cost() const {
  return {.bytes = to.tensor().size_bytes()};
}

void zero(Context& context, const Zero& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
