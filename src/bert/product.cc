#include "bert/product.h"

#include "ops/fp8_linear.h"
#include "ops/int8_linear.h"

namespace bertha::bert {

void product(Context& context, const Product& op) {
  if (op.w.int8 != nullptr) {
    ops::int8_linear(
        context, {.x = op.x, .w = *op.w.int8, .b = op.b, .activation = op.activation, .y = op.y});
    return;
  }
  const ops::Linear linear = {.x = op.x,
                              .w = op.w.wide,
                              .b = op.b,
                              .b_rounded = op.b_rounded,
                              .activation = op.activation,
                              .y = op.y,
                              .saved = op.saved};
  if (op.fp8.x.empty()) return ops::linear(context, linear);
  ops::fp8_linear(context, {.linear = linear,
                            .x_state = inout(op.fp8.x),
                            .w_state = inout(op.fp8.w),
                            .notes = op.notes});
}

void product_backward(Context& context, const ops::LinearBackward& op, const Fp8States& fp8) {
  if (fp8.x.empty()) return ops::linear_backward(context, op);
  ops::fp8_linear_backward(
      context, {.linear = op, .x_state = fp8.x, .w_state = fp8.w, .d_y_state = inout(fp8.d_y)});
}

}  // namespace bertha::bert
