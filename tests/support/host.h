#pragma once

// For tests of ops: a CPU device with an arena, and conversion between tensors and vectors of
// float.

#include <cstdint>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "core/context.h"
#include "core/philox.h"

namespace bertha::test {

class Host {
 public:
  explicit Host(int64_t capacity_bytes = int64_t{64} << 20)
      : arena_(device_, capacity_bytes), context_(device_, arena_) {}

  Context& context() { return context_; }
  cpu::CpuDevice& device() { return device_; }

  /// A tensor of f32, bf16 (rounded) or i32 with these values.
  Tensor tensor(const Shape& shape, const std::vector<float>& values, DType dtype = DType::kF32) {
    BERTHA_CHECK(shape.size() == static_cast<int64_t>(values.size()));
    const Tensor made = context_.make(shape, dtype);
    for (size_t i = 0; i < values.size(); ++i) {
      if (dtype == DType::kBF16) cpu::data<BFloat16>(Out(made))[i] = BFloat16(values[i]);
      if (dtype == DType::kF32) cpu::data<float>(Out(made))[i] = values[i];
      if (dtype == DType::kI32) cpu::data<int32_t>(Out(made))[i] = static_cast<int32_t>(values[i]);
    }
    return made;
  }
  Tensor filled(const Shape& shape, float value, DType dtype = DType::kF32) {
    return tensor(shape, std::vector<float>(static_cast<size_t>(shape.size()), value), dtype);
  }
  /// Device scalars of dropout.
  Tensor seed(int64_t seed, int64_t draw) {
    const Tensor made = context_.make({2}, DType::kI64);
    auto* words = cpu::data<int64_t>(Out(made));
    words[0] = seed;
    words[1] = draw;
    return made;
  }

  /// The elements of an f32 or bf16 tensor.
  static std::vector<float> values(const Tensor& tensor) {
    std::vector<float> read(static_cast<size_t>(tensor.size()));
    for (size_t i = 0; i < read.size(); ++i) {
      read[i] = tensor.dtype() == DType::kBF16 ? static_cast<float>(cpu::data<BFloat16>(tensor)[i])
                                               : cpu::data<float>(tensor)[i];
    }
    return read;
  }

 private:
  cpu::CpuDevice device_;
  Arena arena_;
  Context context_;
};

/// `count` values, uniform in [-scale, scale); equal for equal `stream`.
inline std::vector<float> uniform_values(int64_t count, uint64_t stream, float scale = 1) {
  PhiloxStream random(20221, stream);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = scale * static_cast<float>(2 * random.uniform() - 1);
  return values;
}

/// The values after rounding to `dtype`; f32 values are unchanged.
inline std::vector<float> rounded_to(DType dtype, std::vector<float> values) {
  if (dtype == DType::kBF16) {
    for (float& value : values) value = static_cast<float>(BFloat16(value));
  }
  return values;
}

}  // namespace bertha::test
