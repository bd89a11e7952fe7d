#pragma once

// Host (support/host.h) for tests that compare with references in double.

#include <cstdint>
#include <vector>

#include "core/error.h"
#include "support/host.h"

namespace bertha::test {

class Workbench : public Host {
 public:
  Workbench() : Host(int64_t{1} << 27) {}

  /// A tensor of the values, rounded to `dtype`.
  Tensor put(const std::vector<double>& values, const Shape& shape, DType dtype) {
    return tensor(shape, std::vector<float>(values.begin(), values.end()), dtype);
  }
  Tensor put(const std::vector<int32_t>& values) {
    const Tensor made = context().make({static_cast<int64_t>(values.size())}, DType::kI32);
    device().write(out(made), values.data());
    return made;
  }
  /// Writes the values over a tensor's.
  void set(const Tensor& to, const std::vector<double>& values) {
    const Context::Scope scope = context().scope();
    const Tensor from = put(values, to.shape(), to.dtype());
    device().write(out(to), cpu::address(from));
  }
  std::vector<double> get(const Tensor& from) {
    const std::vector<float> read = values(from);
    return {read.begin(), read.end()};
  }
  /// `count` values in [-range, range) that `dtype` holds exactly.
  static std::vector<double> random(int64_t count, DType dtype, uint64_t stream, double range = 1) {
    const auto made = rounded_to(dtype, uniform_values(count, stream, static_cast<float>(range)));
    return {made.begin(), made.end()};
  }
};

}  // namespace bertha::test
