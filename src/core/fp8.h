#pragma once

// 8-bit floating-point numbers (Micikevicius et al. 2022, "FP8 formats for deep learning"). E4M3
// has 3 bits of mantissa, numbers up to 448 and no infinity; E5M2 has 2 bits and the range of half
// precision. Plain arithmetic on bits, for the host and for device code.

#include <bit>
#include <cstdint>

namespace bertha {

enum class Fp8Format : uint8_t { kE4M3, kE5M2 };

namespace detail {
constexpr int fp8_mantissa(Fp8Format format) {
  return format == Fp8Format::kE4M3 ? 3 : 2;
}
/// Exponent of the least normal number.
constexpr int fp8_least_exponent(Fp8Format format) {
  return format == Fp8Format::kE4M3 ? -6 : -14;
}
/// Bits of the largest finite number.
constexpr uint32_t fp8_largest_bits(Fp8Format format) {
  return format == Fp8Format::kE4M3 ? 0x7eU : 0x7bU;
}
/// `value` without its `count` lowest bits, rounded to nearest even. 1 <= count <= 31.
constexpr uint32_t fp8_drop_bits(uint32_t value, int count) {
  return (value + ((1U << (count - 1)) - 1) + (value >> count & 1U)) >> count;
}
}  // namespace detail

constexpr float fp8_largest(Fp8Format format) {
  return format == Fp8Format::kE4M3 ? 448.0F : 57344.0F;
}

/// The nearest number of the format, ties to even. What is larger becomes the largest number, and
/// NaN stays NaN.
constexpr uint8_t fp8_bits(float value, Fp8Format format) {
  constexpr int kMantissa = 23;
  constexpr int kBias = 127;
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 24 & 0x80U;
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<uint8_t>(sign | 0x7fU);
  if (magnitude >= std::bit_cast<uint32_t>(fp8_largest(format))) {
    return static_cast<uint8_t>(sign | detail::fp8_largest_bits(format));
  }
  const int mantissa = detail::fp8_mantissa(format);
  const int least = detail::fp8_least_exponent(format);
  const int exponent = static_cast<int>(magnitude >> kMantissa) - kBias;
  if (exponent >= least) {
    const auto bias = static_cast<uint32_t>(kBias - (1 - least)) << mantissa;
    return static_cast<uint8_t>(sign |
                                (detail::fp8_drop_bits(magnitude, kMantissa - mantissa) - bias));
  }
  const int dropped = kMantissa - mantissa + least - exponent;
  if (dropped > 31) return static_cast<uint8_t>(sign);
  const uint32_t significand = (magnitude & 0x7fffffU) | 0x800000U;
  return static_cast<uint8_t>(sign | detail::fp8_drop_bits(significand, dropped));
}

constexpr float fp8_value(uint8_t bits, Fp8Format format) {
  const int mantissa = detail::fp8_mantissa(format);
  const int least = detail::fp8_least_exponent(format);
  const uint32_t magnitude = bits & 0x7fU;
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80U) << 24;
  if (magnitude > detail::fp8_largest_bits(format)) {
    const bool infinite = format == Fp8Format::kE5M2 && magnitude == 0x7cU;
    return std::bit_cast<float>(sign | (infinite ? 0x7f800000U : 0x7fc00000U));
  }
  if (magnitude >> mantissa == 0) {
    const auto quantum = std::bit_cast<float>(static_cast<uint32_t>(least - mantissa + 127) << 23);
    const float value = static_cast<float>(magnitude) * quantum;
    return sign == 0 ? value : -value;
  }
  const auto bias = static_cast<uint32_t>(127 - (1 - least)) << mantissa;
  return std::bit_cast<float>(sign | (magnitude + bias) << (23 - mantissa));
}

/// The largest power of two by which numbers up to `maximum` stay within the format; 1 for a
/// maximum that is 0 or not finite. Powers beyond 2^±100 are not needed and not given.
constexpr float fp8_scale(float maximum, Fp8Format format) {
  constexpr int kMost = 100;
  const auto bits = std::bit_cast<uint32_t>(maximum);
  if (!(maximum > 0) || bits >= 0x7f800000U) return 1;
  const auto largest = std::bit_cast<uint32_t>(fp8_largest(format));
  int power = static_cast<int>(largest >> 23) - static_cast<int>(bits >> 23);
  if ((bits & 0x7fffffU) > (largest & 0x7fffffU)) --power;
  power = power > kMost ? kMost : power < -kMost ? -kMost : power;
  return std::bit_cast<float>(static_cast<uint32_t>(power + 127) << 23);
}

/// The nearest number of the format times 1 / scale, a power of two.
constexpr float round_to_fp8(float value, float scale, Fp8Format format) {
  return fp8_value(fp8_bits(value * scale, format), format) / scale;
}

/// What is known of an operand, f32 [kFp8State], zeros at first: the largest magnitudes of its last
/// kFp8History uses, the newest first; then the scale of the newest use, and its inverse.
inline constexpr int64_t kFp8History = 16;
inline constexpr int64_t kFp8Scale = kFp8History;
inline constexpr int64_t kFp8Inverse = kFp8History + 1;
inline constexpr int64_t kFp8State = kFp8History + 2;

/// Notes a use of an operand whose largest magnitude is `maximum`: the scale is that of the largest
/// of the history, which the maximum belongs to, so that nothing saturates. A maximum that is not
/// finite is not noted.
constexpr void note_fp8_use(float maximum, Fp8Format format, float* state) {
  if (maximum >= 0 && maximum <= 3.4028234e38F) {
    for (int64_t i = kFp8History - 1; i > 0; --i) state[i] = state[i - 1];
    state[0] = maximum;
  }
  float largest = 0;
  for (int64_t i = 0; i < kFp8History; ++i) largest = state[i] > largest ? state[i] : largest;
  state[kFp8Scale] = fp8_scale(largest, format);
  state[kFp8Inverse] = 1 / state[kFp8Scale];
}

}  // namespace bertha
