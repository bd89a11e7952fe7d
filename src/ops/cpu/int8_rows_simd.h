#pragma once

// The row kernels of int8_kernels.h, compiled once an instruction set with equal bits: what a row
// becomes before the product, and what becomes of the sums after it.

#include "ops/cpu/activation_functions.h"
#include "ops/cpu/int8_kernels.h"
#include "ops/cpu/lanes.h"

namespace bertha::ops {
namespace {

/// Sixteen 32-bit integers.
#if defined(__AVX512F__)
struct Integers {
  __m512i v;

  static Integers all(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static Integers load(const int32_t* from) { return {_mm512_loadu_si512(from)}; }
  static Integers bits_of(const Lanes& x) { return {_mm512_castps_si512(x.part[0].v)}; }
  /// To nearest even.
  static Integers rounded(const Lanes& x) { return {_mm512_cvtps_epi32(x.part[0].v)}; }
  Lanes floats() const { return {{{_mm512_cvtepi32_ps(v)}}}; }
  /// As bytes; what is above 255 becomes 255.
  void store_bytes(uint8_t* to) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(v));
  }
};
inline Integers operator+(const Integers& a, const Integers& b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline Integers operator-(const Integers& a, const Integers& b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
inline Integers operator*(const Integers& a, const Integers& b) {
  return {_mm512_mullo_epi32(a.v, b.v)};
}
inline Integers max(const Integers& a, const Integers& b) {
  return {_mm512_max_epi32(a.v, b.v)};
}
inline Integers max_unsigned(const Integers& a, const Integers& b) {
  return {_mm512_max_epu32(a.v, b.v)};
}
inline void store(const Integers& a, int32_t (&to)[16]) {
  _mm512_storeu_si512(to, a.v);
}
#else
struct Integers {
  __m256i v[2];

  static Integers all(int32_t x) { return {{_mm256_set1_epi32(x), _mm256_set1_epi32(x)}}; }
  static Integers load(const int32_t* from) {
    const auto* const at = reinterpret_cast<const __m256i*>(from);
    return {{_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)}};
  }
  static Integers bits_of(const Lanes& x) {
    return {{_mm256_castps_si256(x.part[0].v), _mm256_castps_si256(x.part[1].v)}};
  }
  static Integers rounded(const Lanes& x) {
    return {{_mm256_cvtps_epi32(x.part[0].v), _mm256_cvtps_epi32(x.part[1].v)}};
  }
  Lanes floats() const { return {{{_mm256_cvtepi32_ps(v[0])}, {_mm256_cvtepi32_ps(v[1])}}}; }
  void store_bytes(uint8_t* to) const {
    const __m256i words = _mm256_packs_epi32(v[0], v[1]);
    const __m256i ordered = _mm256_permute4x64_epi64(words, _MM_SHUFFLE(3, 1, 2, 0));
    const __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  }
};
inline Integers operator+(const Integers& a, const Integers& b) {
  return {{_mm256_add_epi32(a.v[0], b.v[0]), _mm256_add_epi32(a.v[1], b.v[1])}};
}
inline Integers operator-(const Integers& a, const Integers& b) {
  return {{_mm256_sub_epi32(a.v[0], b.v[0]), _mm256_sub_epi32(a.v[1], b.v[1])}};
}
inline Integers operator*(const Integers& a, const Integers& b) {
  return {{_mm256_mullo_epi32(a.v[0], b.v[0]), _mm256_mullo_epi32(a.v[1], b.v[1])}};
}
inline Integers max(const Integers& a, const Integers& b) {
  return {{_mm256_max_epi32(a.v[0], b.v[0]), _mm256_max_epi32(a.v[1], b.v[1])}};
}
inline Integers max_unsigned(const Integers& a, const Integers& b) {
  return {{_mm256_max_epu32(a.v[0], b.v[0]), _mm256_max_epu32(a.v[1], b.v[1])}};
}
inline void store(const Integers& a, int32_t (&to)[16]) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a.v[0]);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 8), a.v[1]);
}
#endif

/// The bits of the largest magnitude on each side of zero; 0: nothing there.
struct Extremes {
  int32_t positive = 0, negative = 0;
};

/// As signed integers the bits of floats above zero are in the floats' order, with infinity and NaN
/// above all others, and those below zero are negative. As unsigned integers those below zero are
/// the largest, in the order of their magnitudes. So no NaN is lost.
template <typename E>
Extremes extremes_of(const E* x, int64_t inputs) {
  Integers positive = Integers::all(0);
  Integers negative = Integers::all(0);
  for (int64_t i = 0; i < inputs; i += Lanes::kWidth) {
    const Integers bits = Integers::bits_of(Lanes::load(x + i, Full{}));
    positive = max(positive, bits);
    negative = max_unsigned(negative, bits);
  }
  int32_t above[16], below[16];
  store(positive, above);
  store(negative, below);
  Extremes most;
  for (int i = 0; i < 16; ++i) {
    const int32_t magnitude = below[i] < 0 ? below[i] & 0x7fffffff : 0;
    most.positive = above[i] > most.positive ? above[i] : most.positive;
    most.negative = magnitude > most.negative ? magnitude : most.negative;
  }
  return most;
}

inline float float_of(int32_t bits) {
  float value = 0;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}

template <typename E>
void quantize(const E* x, int64_t inputs, int64_t depth, uint8_t* to, float* scale, float* zero) {
  constexpr int32_t kInfinity = 0x7f800000;
  constexpr int32_t kSmallest = 27 << 23;  // 2^-100
  const Extremes most = extremes_of(x, inputs);
  const int32_t largest = most.positive > most.negative ? most.positive : most.negative;
  const float low = float_of(most.negative);  // its magnitude
  *scale = float_of(most.positive) / 255.0F + low / 255.0F;
  float inverse = 1.0F / *scale;
  if (largest < kSmallest) *scale = inverse = 0;
  if (largest >= kInfinity) {
    *scale = __builtin_nanf("");
    inverse = 0;
  }
  const Lanes factor = Lanes::all(inverse);
  const Integers shift = Integers::rounded(Lanes::all(low) * factor);
  int32_t shifts[16];
  store(shift, shifts);
  *zero = static_cast<float>(shifts[0]);
  for (int64_t i = 0; i < inputs; i += Lanes::kWidth) {
    (Integers::rounded(Lanes::load(x + i, Full{}) * factor) + shift).store_bytes(to + i);
  }
  for (int64_t i = inputs; i < depth; ++i) to[i] = 0;
}

struct Gelu {
  /// x Φ(x) with Φ(x) = 1/2 + s p(s²), s = x limited to ±4.3: a minimax fit of x Φ(x) by Lawson's
  /// iteration made for this file. Within 3.6e-5 for |x| < 6, 1.9e-5 |x| beyond.
  static Floats of(Floats x) {
    // min and max give their second operand where one is NaN.
    const Floats s = max(Floats::all(-4.3F), min(Floats::all(4.3F), x));
    const Floats p = polynomial(
        s * s, {0.398802072F, -0.0661555976F, 9.69515089e-3F, -1.07138709e-3F, 8.7117769e-5F,
                -5.00617807e-6F, 1.90224441e-7F, -4.24900959e-9F, 4.19745801e-11F});
    return x * fma(s, p, Floats::all(0.5F));
  }
};

template <typename Activation>
Lanes activated(const Lanes& x) {
  return Lanes::from_parts([&](int64_t p) { return Activation::of(x.part[p]); });
}

template <typename E, typename Activation>
void finish(const Int8Finish<E>& block) {
  for (int64_t n = 0; n < block.channels; n += Lanes::kWidth) {
    const Integers weights = Integers::load(block.channel_sums + n);
    const Lanes scale = Lanes::load(block.channel_scales + n, Full{});
    const Lanes bias =
        block.bias == nullptr ? Lanes::all(0.0F) : Lanes::load(block.bias + n, Full{});
    for (int64_t r = 0; r < block.rows; ++r) {
      const Integers zero = Integers::rounded(Lanes::all(block.row_zeros[r]));
      const Integers sum = Integers::load(block.sums + r * block.channels + n) - zero * weights;
      const Lanes value = fma(sum.floats(), scale * Lanes::all(block.row_scales[r]), bias);
      activated<Activation>(value).store(block.y + r * block.y_stride + n, Full{});
    }
  }
}

/// In the order of ops::Activation: none, GELU, tanh, GELU by tanh, ReLU, SiLU.
template <typename E>
constexpr Int8RowKernels<E> kInt8RowKernels = {
    quantize<E>,
    {finish<E, Identity>, finish<E, Gelu>, finish<E, Tanh>, finish<E, GeluTanh>, finish<E, Relu>,
     finish<E, Silu>}};

}  // namespace
}  // namespace bertha::ops
