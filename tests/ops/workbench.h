#pragma once

// A CPU device with room for tensors, and numbers to fill them with: what the tests of linear, rows
// and cross_entropy share.

#include <cstdint>
#include <cstring>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "core/context.h"
#include "core/error.h"
#include "core/philox.h"

namespace bertha::test {

class Workbench {
 public:
  Context& context() { return context_; }
  cpu::CpuDevice& device() { return device_; }

  /// A tensor of the values, rounded to `dtype`.
  Tensor put(const std::vector<double>& values, const Shape& shape, DType dtype) {
    const Tensor tensor = context_.make(shape, dtype);
    set(tensor, values);
    return tensor;
  }
  void set(const Tensor& tensor, const std::vector<double>& values) {
    if (tensor.dtype() == DType::kBF16) {
      std::vector<BFloat16> host;
      for (const double value : values) host.emplace_back(static_cast<float>(value));
      device_.write(out(tensor), host.data());
    } else {
      const std::vector<float> host(values.begin(), values.end());
      device_.write(out(tensor), host.data());
    }
  }
  Tensor put(const std::vector<int32_t>& values) {
    const Tensor tensor = context_.make({static_cast<int64_t>(values.size())}, DType::kI32);
    device_.write(out(tensor), values.data());
    return tensor;
  }
  std::vector<double> get(const Tensor& tensor) {
    const auto size = static_cast<size_t>(tensor.size());
    if (tensor.dtype() == DType::kBF16) {
      std::vector<BFloat16> host(size);
      device_.read(tensor, host.data());
      std::vector<double> values;
      for (const BFloat16 value : host) values.push_back(static_cast<double>(float(value)));
      return values;
    }
    std::vector<float> host(size);
    device_.read(tensor, host.data());
    return {host.begin(), host.end()};
  }
  /// `count` values in [-range, range) that `dtype` holds exactly.
  static std::vector<double> random(int64_t count, DType dtype, uint64_t seed, double range = 1) {
    PhiloxStream stream(20240501, seed);
    std::vector<double> values;
    for (int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>((2 * stream.uniform() - 1) * range);
      values.push_back(dtype == DType::kBF16 ? double{float(BFloat16(value))} : double{value});
    }
    return values;
  }

 private:
  cpu::CpuDevice device_;
  Arena arena_{device_, int64_t{1} << 27};
  Context context_{device_, arena_};
};

}  // namespace bertha::test
