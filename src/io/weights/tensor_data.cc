#include "io/weights/tensor_data.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "core/parallel_for.h"
#include "io/byte_order.h"

namespace bertha::io {
namespace {

constexpr int64_t kGrain = 1 << 16;

/// `number` is inlined, so that the compiler can vectorize the loop.
template <typename T, typename Number>
void convert(std::span<const std::byte> from, std::span<float> to, const Number& number) {
  parallel_ranges(std::ssize(to), kGrain, [&](int64_t begin, int64_t end, int64_t) {
    const std::byte* source = from.data();
    float* target = to.data();
    for (int64_t i = begin; i < end; ++i) {
      target[i] = number(load<T>(source + i * static_cast<int64_t>(sizeof(T))));
    }
  });
}

template <typename T>
void convert(std::span<const std::byte> from, std::span<float> to) {
  convert<T>(from, to, [](T value) { return static_cast<float>(value); });
}

}  // namespace

int64_t element_count(std::span<const int64_t> shape) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 8;
  int64_t count = 1;
  bool empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && count > kMost / extent)) return -1;
    if (extent > 0) count *= extent;
    empty = empty || extent == 0;
  }
  return empty ? 0 : count;
}

std::string shape_string(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", shape[i]);
  }
  return text + "]";
}

float half_to_float(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000U} << 16;
  const uint32_t magnitude = half & 0x7fffU;
  if (magnitude >= 0x7c00U) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000U | (magnitude & 0x3ffU) << 13);
  }
  if (magnitude < 0x0400U) {  // subnormals: multiples of 2^-24
    return std::bit_cast<float>(sign |
                                std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24F));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + (uint32_t{127 - 15} << 23)));
}

uint16_t float_to_half(float value) {
  const auto wide = std::bit_cast<uint32_t>(value);
  const uint32_t sign = wide >> 16 & 0x8000U;
  const uint32_t magnitude = wide & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U)
    return static_cast<uint16_t>(sign | 0x7c00U);  // 65520 and above round to infinity
  if (magnitude < 0x38800000U) {                   // below 2^-14: a multiple of 2^-24
    // After adding 0.5, the last bit of the sum is worth 2^-24, so the addition rounds.
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - 0x3f000000U));
  }
  const uint32_t rounded = magnitude + 0xfffU + (magnitude >> 13 & 1U);
  return static_cast<uint16_t>(sign | (rounded - (uint32_t{127 - 15} << 23)) >> 13);
}

namespace {

void store_halves(std::span<const float> from, std::span<std::byte> to, uint16_t (*half)(float)) {
  parallel_for(static_cast<int64_t>(from.size()), kGrain, [&](int64_t i) {
    const auto index = static_cast<size_t>(i);
    const uint16_t bits = half(from[index]);
    std::memcpy(to.data() + 2 * index, &bits, sizeof(bits));
  });
}

}  // namespace

void convert_from_f32(std::span<const float> from, DType dtype, std::span<std::byte> to) {
  BERTHA_CHECK(static_cast<int64_t>(to.size()) ==
               static_cast<int64_t>(from.size()) * size_of(dtype));
  switch (dtype) {
    case DType::kF32:
      if (!from.empty()) std::memcpy(to.data(), from.data(), to.size());
      return;
    case DType::kBF16:
      return store_halves(from, to, BFloat16::round);
    case DType::kF16:
      return store_halves(from, to, float_to_half);
    default:
      BERTHA_CHECK(false, "no conversion to {}", name_of(dtype));
  }
}

void convert_to_f32(const TensorData& from, std::span<float> to) {
  BERTHA_CHECK(from.size() == static_cast<int64_t>(to.size()), "{} elements into {}", from.size(),
               to.size());
  switch (from.dtype) {
    case DType::kF32:
      return convert<float>(from.bytes, to);
    case DType::kBF16:
      return convert<uint16_t>(
          from.bytes, to, [](uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); });
    case DType::kF16:
      return convert<uint16_t>(from.bytes, to, [](uint16_t bits) { return half_to_float(bits); });
    case DType::kF64:
      return convert<double>(from.bytes, to);
    case DType::kI32:
      return convert<int32_t>(from.bytes, to);
    case DType::kI64:
      return convert<int64_t>(from.bytes, to);
    case DType::kI8:
      return convert<int8_t>(from.bytes, to);
    case DType::kU8:
    case DType::kBool:
      return convert<uint8_t>(from.bytes, to);
  }
}

}  // namespace bertha::io
