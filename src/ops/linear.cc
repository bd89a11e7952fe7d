#include "ops/linear.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/weight_panels.h"

namespace bertha::ops {
namespace {

void check_matrix(const Tensor& matrix, DType dtype, int64_t rows, int64_t columns,
                  const char* what) {
  const Shape expected{rows, columns};
  BERTHA_CHECK(matrix.dtype() == dtype && matrix.shape() == expected, "{} is {} {}, not {} {}",
               what, name_of(matrix.dtype()), matrix.shape().to_string(), name_of(dtype),
               expected.to_string());
}

void check_bias(const Tensor& bias, int64_t size, const char* what) {
  if (bias.empty()) return;
  BERTHA_CHECK(bias.dtype() == DType::kF32 && bias.shape() == Shape{size}, "{} is {} {}, not [{}]",
               what, name_of(bias.dtype()), bias.shape().to_string(), size);
}

void check_x(const Tensor& x) {
  BERTHA_CHECK(x.dtype() == DType::kF32 || x.dtype() == DType::kBF16, "x is {}",
               name_of(x.dtype()));
  BERTHA_CHECK(x.shape().rank() == 2, "x is {}", x.shape().to_string());
}

void check_rows(const Tensor& w, DType dtype, int64_t inputs) {
  BERTHA_CHECK(w.shape().rank() == 2, "w is {}", w.shape().to_string());
  check_matrix(w, dtype, w.dim(0), inputs, "w");
}

void check_panels(const Tensor& w, DType dtype, int64_t channels, int64_t inputs) {
  BERTHA_CHECK(w.shape().rank() == 4, "w is {}", w.shape().to_string());
  const Shape expected = panel_shape(dtype, channels, inputs, w.dim(2));
  BERTHA_CHECK(w.dtype() == dtype && w.shape() == expected, "w is {} {}, not {} {}",
               name_of(w.dtype()), w.shape().to_string(), name_of(dtype), expected.to_string());
}

}  // namespace

void Linear::check() const {
  check_x(x);
  const int64_t channels = takes_panels() ? y.tensor().dim(1) : w.dim(0);
  if (takes_panels()) {
    check_panels(w, x.dtype(), channels, x.dim(1));
  } else {
    check_rows(w, x.dtype(), x.dim(1));
  }
  check_bias(b, channels, "b");
  BERTHA_CHECK(b_rounded.empty() ||
                   (!b.empty() && b_rounded.dtype() == x.dtype() && b_rounded.shape() == b.shape()),
               "b_rounded is {} {}", name_of(b_rounded.dtype()), b_rounded.shape().to_string());
  check_matrix(y.tensor(), x.dtype(), x.dim(0), channels, "y");
  if (saved.empty()) return;
  BERTHA_CHECK(needs_input(activation), "saved goes with an activation that needs its input");
  check_matrix(saved.tensor(), x.dtype(), x.dim(0), channels, "saved");
}

Cost Linear::cost() const {
  Cost cost = product_cost(x, w, y.tensor());
  if (!saved.empty()) cost.bytes += bytes_of(saved.tensor(), y.tensor());
  return cost;
}

bool Linear::has_work() const {
  return x.dim(0) > 0 && x.dim(1) > 0;
}

void linear(Context& context, const Linear& op) {
  dispatch(context, op);
}

void LinearBackward::check() const {
  check_x(x);
  check_rows(w, x.dtype(), x.dim(1));
  check_matrix(d_y.tensor(), x.dtype(), x.dim(0), w.dim(0), "d_y");
  BERTHA_CHECK(saved.empty() == (activation == Activation::kNone), "saved goes with an activation");
  if (!saved.empty()) check_matrix(saved, x.dtype(), x.dim(0), w.dim(0), "saved");
  if (!d_x.empty()) check_matrix(d_x.tensor(), x.dtype(), x.dim(0), x.dim(1), "d_x");
  check_matrix(d_w.tensor(), DType::kF32, w.dim(0), w.dim(1), "d_w");
  check_bias(d_b.tensor(), w.dim(0), "d_b");
  BERTHA_CHECK(d_w_write == Write::kAdd || has_work(), "d_w of no rows is not written");
}

Cost LinearBackward::cost() const {
  const Cost product = product_cost(x, w, d_y.tensor());
  Cost cost = {.flops = product.flops, .bytes = product.bytes + 2 * d_w.tensor().size_bytes()};
  if (!d_x.empty()) {
    cost.flops += product.flops;
    cost.bytes += product.bytes;
  }
  if (reads_d_y_first()) cost.bytes += bytes_of(d_y.tensor(), saved, saved);
  return cost;
}

bool LinearBackward::has_work() const {
  return x.dim(0) > 0 && x.dim(1) > 0;
}

void linear_backward(Context& context, const LinearBackward& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
