#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace bertha {

/// Element types of tensors and of the files that the program reads and writes.
enum class DType : uint8_t { kF32, kBF16, kF16, kF64, kI32, kI64, kI8, kU8, kBool };

/// Size of one element in bytes.
int64_t size_of(DType dtype);
/// The short name used in messages and in `inspect`: "f32", "bf16", …
const char* name_of(DType dtype);

/// bfloat16: the upper half of an IEEE float. Conversion rounds to nearest even and keeps NaN
/// quiet.
struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value) : bits(round(value)) {}
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }

  static uint16_t round(float value) {
    const auto wide = std::bit_cast<uint32_t>(value);
    if (std::isnan(value)) return static_cast<uint16_t>((wide >> 16) | 0x0040U);
    return static_cast<uint16_t>((wide + 0x7fffU + ((wide >> 16) & 1U)) >> 16);
  }
};
static_assert(sizeof(BFloat16) == 2);

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType kValue = DType::kF32;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType kValue = DType::kBF16;
};
template <>
struct DTypeOf<double> {
  static constexpr DType kValue = DType::kF64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType kValue = DType::kI32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType kValue = DType::kI64;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType kValue = DType::kI8;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType kValue = DType::kU8;
};

}  // namespace bertha
