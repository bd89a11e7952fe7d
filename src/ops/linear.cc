#include "ops/linear.h"

#include "core/error.h"
#include "ops/cpu/linear_cpu.h"
#include "ops/cuda/linear_cuda.h"
#include "ops/cuda/partials_cuda.h"
#include "ops/device_of.h"

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

void check_inputs(const Tensor& x, const Tensor& w) {
  BERTHA_CHECK(x.dtype() == DType::kF32 || x.dtype() == DType::kBF16, "x is {}",
               name_of(x.dtype()));
  BERTHA_CHECK(x.shape().rank() == 2 && w.shape().rank() == 2, "x {}, w {}", x.shape().to_string(),
               w.shape().to_string());
  check_matrix(w, x.dtype(), w.dim(0), x.dim(1), "w");
}

/// What CUDA needs beside the operands.
LinearScratchCuda scratch_for_bias(Context& context, const Tensor& x, const Tensor& b) {
  if (b.empty() || !on_cuda(context)) return {};
  return {.bias = context.make(b.shape(), x.dtype()), .partials = {}};
}
LinearScratchCuda scratch_for_sums(Context& context, const Tensor& d_y, const Tensor& d_b) {
  if (d_b.empty() || !on_cuda(context)) return {};
  return {.bias = {},
          .partials = context.make(partials_shape(d_y.dim(0), 1, d_y.dim(1)), DType::kF32)};
}

}  // namespace

void linear(Context& context, const Tensor& x, const Tensor& w, const Tensor& b,
            Activation activation, Out y, Out saved) {
  check_inputs(x, w);
  check_bias(b, w.dim(0), "b");
  check_matrix(y.tensor(), x.dtype(), x.dim(0), w.dim(0), "y");
  if (!saved.empty()) {
    BERTHA_CHECK(activation == Activation::kGelu, "saved goes with GELU");
    check_matrix(saved.tensor(), x.dtype(), x.dim(0), w.dim(0), "saved");
  }
  const Context::Scope scope = context.scope();
  const LinearScratchCuda scratch = scratch_for_bias(context, x, b);
  // NOLINTNEXTLINE(readability-container-size-empty): a tensor of no rows is not an absent one
  if (context.dry() || x.size() == 0) return;
  if (on_cuda(context)) {
    return linear_cuda(cuda_of(context), x, w, b, activation, y, saved, scratch);
  }
  linear_cpu(cpu_of(context), x, w, b, activation, y, saved);
}

void linear_backward(Context& context, const Tensor& x, const Tensor& w, const Tensor& saved,
                     Activation activation, InOut d_y, InOut d_x, Write d_x_write, InOut d_w,
                     InOut d_b) {
  check_inputs(x, w);
  check_matrix(d_y.tensor(), x.dtype(), x.dim(0), w.dim(0), "d_y");
  BERTHA_CHECK(saved.empty() == (activation == Activation::kNone), "saved goes with an activation");
  if (!saved.empty()) check_matrix(saved, x.dtype(), x.dim(0), w.dim(0), "saved");
  if (!d_x.empty()) check_matrix(d_x.tensor(), x.dtype(), x.dim(0), x.dim(1), "d_x");
  check_matrix(d_w.tensor(), DType::kF32, w.dim(0), w.dim(1), "d_w");
  check_bias(d_b.tensor(), w.dim(0), "d_b");
  const Context::Scope scope = context.scope();
  const LinearScratchCuda scratch = scratch_for_sums(context, d_y.tensor(), d_b.tensor());
  // NOLINTNEXTLINE(readability-container-size-empty): a tensor of no rows is not an absent one
  if (context.dry() || x.size() == 0) return;
  if (on_cuda(context)) {
    return linear_backward_cuda(cuda_of(context), x, w, saved, activation, d_y, d_x, d_x_write, d_w,
                                d_b, scratch);
  }
  linear_backward_cpu(cpu_of(context), x, w, saved, activation, d_y, d_x, d_x_write, d_w, d_b);
}

}  // namespace bertha::ops
