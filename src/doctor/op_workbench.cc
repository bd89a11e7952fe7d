#include "doctor/op_workbench.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/device.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/philox.h"
#include "ops/layer_norm_ref.h"

namespace bertha::doctor {
namespace {

constexpr int64_t kArenaBytes = int64_t{8} << 20;
constexpr int64_t kSeed = 2026;
constexpr int64_t kDraw = 3;

template <typename T>
void write_as(Device& device, const Tensor& to, const Values& values) {
  std::vector<T> converted;
  converted.reserve(values.size());
  for (const double value : values) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      converted.emplace_back(static_cast<float>(value));
    } else {
      converted.push_back(static_cast<T>(value));
    }
  }
  device.write(Out(to), converted.data());
}

template <typename T>
Values read_as(Device& device, const Tensor& from) {
  std::vector<T> read(static_cast<size_t>(from.size()));
  device.read(from, read.data());
  Values values;
  values.reserve(read.size());
  for (const T value : read) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      values.push_back(static_cast<float>(value));
    } else {
      values.push_back(value);
    }
  }
  return values;
}

}  // namespace

OpWorkbench::OpWorkbench(Device& device)
    : device_(device), arena_(device, kArenaBytes), context_(device, arena_) {}

Tensor OpWorkbench::put(const Values& values, const Shape& shape, DType dtype) {
  BERTHA_CHECK(shape.size() == static_cast<int64_t>(values.size()));
  const Tensor made = context_.make(shape, dtype);
  if (dtype == DType::kBF16) write_as<BFloat16>(device_, made, values);
  if (dtype == DType::kF32) write_as<float>(device_, made, values);
  if (dtype == DType::kF64) write_as<double>(device_, made, values);
  return made;
}

Tensor OpWorkbench::put(const std::vector<int32_t>& values, const Shape& shape) {
  BERTHA_CHECK(shape.size() == static_cast<int64_t>(values.size()));
  const Tensor made = context_.make(shape, DType::kI32);
  device_.write(Out(made), values.data());
  return made;
}

Tensor OpWorkbench::put(const std::vector<int8_t>& values, const Shape& shape) {
  BERTHA_CHECK(shape.size() == static_cast<int64_t>(values.size()));
  const Tensor made = context_.make(shape, DType::kI8);
  device_.write(Out(made), values.data());
  return made;
}

Tensor OpWorkbench::blank(const Shape& shape, DType dtype) {
  return put(Values(static_cast<size_t>(shape.size()), std::nan("")), shape, dtype);
}

Values OpWorkbench::get(const Tensor& tensor) {
  device_.synchronize();
  if (tensor.dtype() == DType::kBF16) return read_as<BFloat16>(device_, tensor);
  if (tensor.dtype() == DType::kF64) return read_as<double>(device_, tensor);
  return read_as<float>(device_, tensor);
}

Values OpWorkbench::random(int64_t count, DType dtype, uint64_t stream, double range) {
  PhiloxStream draws(kSeed, stream);
  Values values(static_cast<size_t>(count));
  for (double& value : values) {
    const auto drawn = static_cast<float>(range * (2 * draws.uniform() - 1));
    value = dtype == DType::kBF16 ? static_cast<float>(BFloat16(drawn)) : drawn;
  }
  return values;
}

Dropout OpWorkbench::dropout() {
  const Tensor seed = context_.make({2}, DType::kI64);
  const std::array<int64_t, 2> words = {kSeed, kDraw};
  device_.write(Out(seed), words.data());
  return make_dropout(0.1, 3, seed);
}

double OpWorkbench::dropout_factor(const Dropout& dropout, int64_t element) const {
  return ops::reference::dropout_factor(dropout, kSeed, kDraw, element);
}

void Deviation::compare(const Values& actual, const Values& expected, DType dtype, int64_t terms) {
  // bf16: one rounding of the operands' sums and one of the result. f32: rounding errors of
  // independent sign grow as the square root of their number.
  const double limit = dtype == DType::kBF16
                           ? 4 * 0x1p-8
                           : 2 * 0x1p-23 * (4 + std::sqrt(static_cast<double>(terms)));
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < expected.size() && i < actual.size(); ++i) {
    error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  const double relative = std::sqrt(norm > 0 ? error / norm : error) / limit;
  const bool valid = actual.size() == expected.size() && std::isfinite(relative);
  largest_ = std::max(largest_, valid ? relative : std::numeric_limits<double>::infinity());
}

void Deviation::compare_exactly(const Values& actual, const Values& expected) {
  if (actual != expected) largest_ = std::numeric_limits<double>::infinity();
}

}  // namespace bertha::doctor
