#include "ops/fp8_linear.h"

#include "core/error.h"
#include "ops/dispatch.h"

namespace bertha::ops {
namespace {

void check_state(const Tensor& state, const char* what) {
  BERTHA_CHECK(state.dtype() == DType::kF32 && state.shape() == Shape{kFp8State}, "{} is {} {}",
               what, name_of(state.dtype()), state.shape().to_string());
}

/// Elements that a view takes, so that the next one is aligned in either dtype.
int64_t aligned(int64_t elements) {
  return align_up(elements, kAlignmentBytes / size_of(DType::kBF16));
}

}  // namespace

void Fp8Linear::check() const {
  linear.check();
  check_state(x_state.tensor(), "x_state");
  check_state(w_state.tensor(), "w_state");
}

void fp8_linear(Context& context, const Fp8Linear& op) {
  dispatch(context, op);
}

void Fp8LinearBackward::check() const {
  linear.check();
  check_state(x_state, "x_state");
  check_state(w_state, "w_state");
  check_state(d_y_state.tensor(), "d_y_state");
}

void fp8_linear_backward(Context& context, const Fp8LinearBackward& op) {
  dispatch(context, op);
}

int64_t fp8_rounded_elements(const Tensor& x, const Tensor& w, bool with_d_y) {
  return aligned(x.size()) + aligned(w.size()) + (with_d_y ? x.dim(0) * w.dim(0) : 0);
}

Fp8RoundedOperands fp8_rounded_operands(const Tensor& scratch, const Tensor& x, const Tensor& w,
                                        bool with_d_y) {
  const int64_t second = aligned(x.size());
  Fp8RoundedOperands operands = {
      .x = scratch.rows(0, x.size()).reshape(x.shape()),
      .w = scratch.rows(second, w.size()).reshape(w.shape()),
      .d_y = {},
  };
  if (with_d_y) {
    const Shape shape = {x.dim(0), w.dim(0)};
    operands.d_y = scratch.rows(second + aligned(w.size()), shape.size()).reshape(shape);
  }
  return operands;
}

}  // namespace bertha::ops
