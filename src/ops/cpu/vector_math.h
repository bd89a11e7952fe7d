#pragma once

// Vectors of floats and the functions kernels share, for files built for AVX2 or AVX-512 only
// (x_avx2.cc, x_avx512.cc): a kernel is written once over `Floats` and compiled for both. All of it
// stays in an unnamed namespace, so that no copy built for one instruction set is linked into code
// for another. bf16 values are their 16 bits.
//
// Polynomials are minimax fits (Lawson's iteration) made for this file; the error given beside each
// is the fit's, before rounding. NaN comes through every function.

// gcc's AVX-512 headers start some results from undefined registers and warn of it (gcc bug
// 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstddef>
#include <cstdint>

namespace bertha::ops {
namespace {

#if defined(__AVX512F__)

/// Lanes for which a comparison holds.
struct Mask {
  __mmask16 bits;
};

struct Floats {
  static constexpr int64_t kWidth = 16;
  __m512 v;

  static Floats all(float x) { return {_mm512_set1_ps(x)}; }
  static Floats load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Floats load(const uint16_t* from) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  /// The first `count` (1 to kWidth) lanes from memory, the others 0.
  static Floats load(const float* from, int64_t count) {
    return {_mm512_maskz_loadu_ps(first(count), from)};
  }
  static Floats load(const uint16_t* from, int64_t count) {
    return widen(_mm256_maskz_loadu_epi16(first(count), from));
  }
  void store(float* to) const { _mm512_storeu_ps(to, v); }
  void store(uint16_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow()); }
  void store(float* to, int64_t count) const { _mm512_mask_storeu_ps(to, first(count), v); }
  void store(uint16_t* to, int64_t count) const {
    _mm256_mask_storeu_epi16(to, first(count), narrow());
  }

 private:
  static __mmask16 first(int64_t count) {
    return static_cast<__mmask16>((uint32_t{1} << count) - 1);
  }
  static Floats widen(__m256i bits) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
  /// Rounded to nearest even, NaN kept quiet, as BFloat16 does.
  __m256i narrow() const {
    const __m512i wide = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(wide, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(wide, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(wide, _mm512_set1_epi32(0x400000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(
        _mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, quiet), 16));
  }
};

inline Floats operator+(Floats a, Floats b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline Floats operator-(Floats a, Floats b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline Floats operator*(Floats a, Floats b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline Floats operator/(Floats a, Floats b) {
  return {_mm512_div_ps(a.v, b.v)};
}
/// a * b + c, rounded once.
inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// b where either is NaN.
inline Floats max(Floats a, Floats b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline Floats min(Floats a, Floats b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline Floats abs(Floats a) {
  return {_mm512_abs_ps(a.v)};
}
inline Floats with_sign_of(Floats magnitude, Floats sign) {
  return {_mm512_or_ps(magnitude.v, _mm512_and_ps(sign.v, _mm512_set1_ps(-0.0F)))};
}
inline Mask operator<(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline Floats select(Mask mask, Floats yes, Floats no) {
  return {_mm512_mask_blend_ps(mask.bits, no.v, yes.v)};
}
inline Floats round(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// a * 2^n for whole n, with gradual underflow and overflow to infinity.
inline Floats scale_by_power(Floats a, Floats n) {
  return {_mm512_scalef_ps(a.v, n.v)};
}

/// The eight sums of lanes i and i + 8, and so on: one fixed order for both widths.
inline __m256 fold(Floats a) {
  return _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}
inline __m256 fold_max(Floats a) {
  return _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}

#else

struct Mask {
  __m256 bits;
};

struct Floats {
  static constexpr int64_t kWidth = 8;
  __m256 v;

  static Floats all(float x) { return {_mm256_set1_ps(x)}; }
  static Floats load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Floats load(const uint16_t* from) {
    return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  /// The first `count` (1 to kWidth) lanes from memory, the others 0.
  static Floats load(const float* from, int64_t count) {
    return {_mm256_maskload_ps(from, first(count))};
  }
  static Floats load(const uint16_t* from, int64_t count) {
    uint16_t lanes[kWidth] = {};
    for (int64_t i = 0; i < count; ++i) lanes[i] = from[i];
    return load(lanes);
  }
  void store(float* to) const { _mm256_storeu_ps(to, v); }
  void store(uint16_t* to) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), narrow()); }
  void store(float* to, int64_t count) const { _mm256_maskstore_ps(to, first(count), v); }
  void store(uint16_t* to, int64_t count) const {
    uint16_t lanes[kWidth];
    store(lanes);
    for (int64_t i = 0; i < count; ++i) to[i] = lanes[i];
  }

 private:
  static __m256i first(int64_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
  }
  static Floats widen(__m128i bits) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
  }
  /// Rounded to nearest even, NaN kept quiet, as BFloat16 does.
  __m128i narrow() const {
    const __m256i wide = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(wide, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(wide, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(wide, _mm256_set1_epi32(0x400000));
    const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
    const __m256i bits =
        _mm256_srli_epi32(_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(rounded),
                                                               _mm256_castsi256_ps(quiet), nan)),
                          16);
    return _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  }
};

inline Floats operator+(Floats a, Floats b) {
  return {_mm256_add_ps(a.v, b.v)};
}
inline Floats operator-(Floats a, Floats b) {
  return {_mm256_sub_ps(a.v, b.v)};
}
inline Floats operator*(Floats a, Floats b) {
  return {_mm256_mul_ps(a.v, b.v)};
}
inline Floats operator/(Floats a, Floats b) {
  return {_mm256_div_ps(a.v, b.v)};
}
/// a * b + c, rounded once.
inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
/// b where either is NaN.
inline Floats max(Floats a, Floats b) {
  return {_mm256_max_ps(a.v, b.v)};
}
inline Floats min(Floats a, Floats b) {
  return {_mm256_min_ps(a.v, b.v)};
}
inline Floats abs(Floats a) {
  return {_mm256_andnot_ps(_mm256_set1_ps(-0.0F), a.v)};
}
inline Floats with_sign_of(Floats magnitude, Floats sign) {
  return {_mm256_or_ps(magnitude.v, _mm256_and_ps(sign.v, _mm256_set1_ps(-0.0F)))};
}
inline Mask operator<(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
}
inline Floats select(Mask mask, Floats yes, Floats no) {
  return {_mm256_blendv_ps(no.v, yes.v, mask.bits)};
}
inline Floats round(Floats a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// a * 2^n for whole n, |n| < 250, with gradual underflow and overflow to infinity: in two steps,
/// because 2^n alone may not be a float.
inline Floats scale_by_power(Floats a, Floats n) {
  const __m256i whole = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const auto power = [](__m256i e) {
    return Floats{
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23))};
  };
  return a * power(half) * power(_mm256_sub_epi32(whole, half));
}

inline __m256 fold(Floats a) {
  return a.v;
}
inline __m256 fold_max(Floats a) {
  return a.v;
}

#endif

/// Sum of the lanes, in an order that depends on the width alone.
inline float sum(Floats a) {
  const __m256 eight = fold(a);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
/// Largest lane; a NaN may be lost.
inline float largest(Floats a) {
  const __m256 eight = fold_max(a);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/// c[0] + c[1] x + c[2] x² + …
template <size_t kTerms>
inline Floats polynomial(Floats x, const float (&c)[kTerms]) {
  Floats y = Floats::all(c[kTerms - 1]);
  for (int i = int{kTerms} - 2; i >= 0; --i) y = fma(y, x, Floats::all(c[i]));
  return y;
}

/// e^x within 1.1 ulp; 0 below -104, infinity above 88.8.
inline Floats exp(Floats x) {
  // x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts whose first has zeros at the end.
  const Floats bounded = max(Floats::all(-104.0F), min(Floats::all(89.0F), x));
  const Floats n = round(bounded * Floats::all(1.44269504F));
  Floats r = fma(n, Floats::all(-0.693359375F), bounded);
  r = fma(n, Floats::all(2.12194440e-4F), r);
  // e^r = 1 + r + r² q(r), 3.1e-9.
  const Floats q =
      polynomial(r, {0.49999994F, 0.166665211F, 0.041668389F, 8.36871564e-3F, 1.38146023e-3F});
  const Floats y = fma(q * r, r, r) + Floats::all(1.0F);
  return scale_by_power(y, n);
}

/// tanh x within 2 ulp.
inline Floats tanh(Floats x) {
  const Floats size = abs(x);
  const Floats square = x * x;
  // x + x³ p(x²) for |x| < 0.625, 4.4e-9; the other form cancels there.
  const Floats p = polynomial(
      square, {-0.333332807F, 0.133314416F, -0.0537397154F, 0.0206390880F, -5.70498686e-3F});
  const Floats near = fma(p * square, x, x);
  const Floats e = exp(size + size);
  const Floats far = Floats::all(1.0F) - Floats::all(2.0F) / (e + Floats::all(1.0F));
  return select(size < Floats::all(0.625F), near, with_sign_of(far, x));
}

/// Φ(x), the normal distribution function, and e^(-x²/2), within 5 ulp on both sides: the negative
/// tail is not 1 minus something.
struct Normal {
  Floats cdf;
  Floats bell;
};
inline Normal normal(Floats x) {
  // Past 15 the bell is 0. The rounding error of the square is put back.
  const Floats s = min(Floats::all(15.0F), abs(x));
  const Floats square = s * s;
  const Floats error = fma(s, s, Floats::all(0.0F) - square);
  Floats bell = exp(square * Floats::all(-0.5F));
  bell = fma(bell * Floats::all(-0.5F), error, bell);
  // Φ(-s) = e^(-s²/2) p(q) / (s + 3.5), q = (s - 3.5) / (s + 3.5): one polynomial for the half line
  // as in Shepherd, Laframboise, Math. Comp. 36 (1981); 8.0e-9.
  const Floats inverse = Floats::all(1.0F) / (s + Floats::all(3.5F));
  const Floats q = (s - Floats::all(3.5F)) * inverse;
  const Floats p = polynomial(
      q, {0.744416058F, -0.565561712F, 0.315425098F, -0.116053171F, 0.0174058210F, 6.49372861e-3F,
          -3.17282719e-3F, -4.95042070e-4F, 4.18320910e-4F, 1.08693486e-4F});
  const Floats tail = bell * (p * inverse);
  const Floats far = select(x < Floats::all(0.0F), tail, Floats::all(1.0F) - tail);
  // Φ(x) = 1/2 + x p(x²) for |x| < 1.25, 2.1e-9: nearer to 1/2 it loses less.
  const Floats near = fma(polynomial(square, {0.398942262F, -0.0664899871F, 9.97150037e-3F,
                                              -1.18270959e-3F, 1.10327463e-4F, -6.64486106e-6F}),
                          x, Floats::all(0.5F));
  return {select(s < Floats::all(1.25F), near, far), bell};
}

}  // namespace
}  // namespace bertha::ops
