#include "bert/product.h"

#include "ops/int8_linear.h"

namespace bertha::bert {

void product(Context& context, const Product& op) {
  if (op.w.int8 != nullptr) {
    ops::int8_linear(
        context, {.x = op.x, .w = *op.w.int8, .b = op.b, .activation = op.activation, .y = op.y});
    return;
  }
  ops::linear(context, {.x = op.x,
                        .w = op.w.wide,
                        .b = op.b,
                        .activation = op.activation,
                        .y = op.y,
                        .saved = op.saved});
}

}  // namespace bertha::bert
