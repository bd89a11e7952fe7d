#include "ops/int8_linear.h"

#include "core/error.h"
#include "ops/dispatch.h"

namespace bertha::ops {
namespace {

void check_operand(const Tensor& tensor, DType dtype, const Shape& shape, const char* what) {
  BERTHA_CHECK(tensor.dtype() == dtype && tensor.shape() == shape, "{} is {} {}, not {} {}", what,
               name_of(tensor.dtype()), tensor.shape().to_string(), name_of(dtype),
               shape.to_string());
}

}  // namespace

void Int8Linear::check() const {
  BERTHA_CHECK(x.dtype() == DType::kF32 || x.dtype() == DType::kBF16, "x is {}",
               name_of(x.dtype()));
  BERTHA_CHECK(x.shape().rank() == 2 && x.dim(1) > 0 && x.dim(1) % kInt8PanelChannels == 0, "x {}",
               x.shape().to_string());
  const int64_t channels = w.channels();
  check_operand(w.scales, DType::kF32, {channels}, "scales");
  check_operand(w.sums, DType::kI32, {channels}, "sums");
  check_operand(w.packed, DType::kI8, int8_packed_shape(channels, x.dim(1)), "packed");
  if (!b.empty()) check_operand(b, DType::kF32, {channels}, "b");
  check_operand(y.tensor(), x.dtype(), {x.dim(0), channels}, "y");
}

Cost Int8Linear::cost() const {
  return {.flops = 2 * x.size() * w.channels(),
          .bytes = bytes_of(x, w.packed, w.scales, w.sums, y.tensor())};
}

void int8_linear(Context& context, const Int8Linear& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
