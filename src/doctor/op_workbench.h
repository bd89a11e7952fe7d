#pragma once

// What a check of an op needs: tensors of a device with known values, and their comparison with a
// reference in double.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/context.h"
#include "core/tensor.h"
#include "ops/dropout.h"

namespace bertha::doctor {

using Values = std::vector<double>;

class OpWorkbench {
 public:
  /// All tensors of one check fit into a few MiB of the device.
  explicit OpWorkbench(Device& device);

  Context& context() { return context_; }

  /// A tensor of the values, rounded to `dtype` (f32, bf16 or f64).
  Tensor put(const Values& values, const Shape& shape, DType dtype = DType::kF32);
  Tensor put(const std::vector<int32_t>& values, const Shape& shape);
  Tensor put(const std::vector<int8_t>& values, const Shape& shape);
  /// A tensor whose elements are all NaN, for an op to overwrite.
  Tensor blank(const Shape& shape, DType dtype = DType::kF32);
  Values get(const Tensor& tensor);

  /// `count` values in [-range, range) that `dtype` holds exactly; equal for equal `stream`.
  static Values random(int64_t count, DType dtype, uint64_t stream, double range = 1);

  /// Dropout of one tenth, and the factor by which it multiplies an element.
  Dropout dropout();
  double dropout_factor(const Dropout& dropout, int64_t element) const;

 private:
  Device& device_;
  Arena arena_;
  Context context_;
};

/// The largest deviation that was seen, in units of what rounding may cause: up to 1 the op is
/// right. A value that is not finite is an infinite deviation.
class Deviation {
 public:
  /// Compares the norm of the error with that of the reference. `terms`: number of products that a
  /// value sums.
  void compare(const Values& actual, const Values& expected, DType dtype, int64_t terms = 1);
  /// Values that the op must produce exactly.
  void compare_exactly(const Values& actual, const Values& expected);

  double largest() const { return largest_; }

 private:
  double largest_ = 0;
};

}  // namespace bertha::doctor
