#pragma once

// Sixteen floats at a time on either width of vector_math.h, with equal bits: a reduction has
// sixteen partial sums, added in one order, whatever the registers are. Row and optimizer kernels
// use it so that a run does not depend on the processor. For *_avx2.cc and *_avx512.cc files.

#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

/// All sixteen lanes, or the first `count` (1 to 15): memory of the others is not touched.
struct Full {};
struct Part {
  int64_t count;
};

struct Lanes {
  static constexpr int64_t kWidth = 16;
  static constexpr int64_t kParts = kWidth / Floats::kWidth;
  Floats part[kParts];

  /// The lanes that f(part index) gives.
  template <typename F>
  static Lanes from_parts(const F& f) {
    if constexpr (kParts == 1) {
      return {{f(0)}};
    } else {
      return {{f(0), f(1)}};
    }
  }
  static Lanes all(float x) {
    return from_parts([&](int64_t) { return Floats::all(x); });
  }
  template <typename T>
  static Lanes load(const T* from, Full) {
    return from_parts([&](int64_t p) { return Floats::load(from + p * Floats::kWidth); });
  }
  template <typename T>
  static Lanes load(const T* from, Part lanes) {
    return from_parts(
        [&](int64_t p) { return Floats::load(from + p * Floats::kWidth, count_in(lanes, p)); });
  }
  template <typename T>
  void store(T* to, Full) const {
    for (int64_t p = 0; p < kParts; ++p) part[p].store(to + p * Floats::kWidth);
  }
  template <typename T>
  void store(T* to, Part lanes) const {
    for (int64_t p = 0; p < kParts; ++p) {
      part[p].store(to + p * Floats::kWidth, count_in(lanes, p));
    }
  }

 private:
  static int64_t count_in(Part lanes, int64_t p) {
    const int64_t rest = lanes.count - p * Floats::kWidth;
    return rest < 0 ? 0 : rest < Floats::kWidth ? rest : Floats::kWidth;
  }
};

inline Lanes operator+(const Lanes& a, const Lanes& b) {
  return Lanes::from_parts([&](int64_t p) { return a.part[p] + b.part[p]; });
}
inline Lanes operator-(const Lanes& a, const Lanes& b) {
  return Lanes::from_parts([&](int64_t p) { return a.part[p] - b.part[p]; });
}
inline Lanes operator*(const Lanes& a, const Lanes& b) {
  return Lanes::from_parts([&](int64_t p) { return a.part[p] * b.part[p]; });
}
inline Lanes operator/(const Lanes& a, const Lanes& b) {
  return Lanes::from_parts([&](int64_t p) { return a.part[p] / b.part[p]; });
}
/// a * b + c, rounded once.
inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return Lanes::from_parts([&](int64_t p) { return fma(a.part[p], b.part[p], c.part[p]); });
}

#if defined(__AVX512F__)

inline Lanes sqrt(const Lanes& a) {
  return {{{_mm512_sqrt_ps(a.part[0].v)}}};
}
/// Zero in the lanes whose bit is 0.
inline Lanes keep(const Lanes& a, uint32_t bits) {
  return {{{_mm512_maskz_mov_ps(static_cast<__mmask16>(bits), a.part[0].v)}}};
}
inline float sum(const Lanes& a) {
  return sum(a.part[0]);
}

/// Sixteen sums of squares in double.
struct SquareSums {
  __m512d low = _mm512_setzero_pd();
  __m512d high = _mm512_setzero_pd();

  void add(const Lanes& a) {
    const __m512d x = _mm512_cvtps_pd(_mm512_castps512_ps256(a.part[0].v));
    const __m512d y = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.part[0].v, 1));
    low = _mm512_fmadd_pd(x, x, low);
    high = _mm512_fmadd_pd(y, y, high);
  }
  /// Sums of lanes i, i + 4, i + 8, i + 12.
  __m256d fold() const {
    const __m512d eight = _mm512_add_pd(low, high);
    return _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
  }
};

#else

inline Lanes sqrt(const Lanes& a) {
  return {{{_mm256_sqrt_ps(a.part[0].v)}, {_mm256_sqrt_ps(a.part[1].v)}}};
}
/// Zero in the lanes whose bit is 0.
inline Lanes keep(const Lanes& a, uint32_t bits) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return Lanes::from_parts([&](int64_t p) {
    const __m256i eight = _mm256_set1_epi32(static_cast<int>(bits >> (8 * p)));
    const __m256i kept = _mm256_cmpeq_epi32(_mm256_and_si256(eight, lane), lane);
    return Floats{_mm256_and_ps(a.part[p].v, _mm256_castsi256_ps(kept))};
  });
}
inline float sum(const Lanes& a) {
  return sum(a.part[0] + a.part[1]);
}

/// Sixteen sums of squares in double.
struct SquareSums {
  __m256d quarter[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                        _mm256_setzero_pd()};

  void add(const Lanes& a) {
    for (int p = 0; p < 2; ++p) {
      const __m256d x = _mm256_cvtps_pd(_mm256_castps256_ps128(a.part[p].v));
      const __m256d y = _mm256_cvtps_pd(_mm256_extractf128_ps(a.part[p].v, 1));
      quarter[2 * p] = _mm256_fmadd_pd(x, x, quarter[2 * p]);
      quarter[2 * p + 1] = _mm256_fmadd_pd(y, y, quarter[2 * p + 1]);
    }
  }
  /// Sums of lanes i, i + 4, i + 8, i + 12.
  __m256d fold() const {
    return _mm256_add_pd(_mm256_add_pd(quarter[0], quarter[2]),
                         _mm256_add_pd(quarter[1], quarter[3]));
  }
};

#endif

inline double sum(const SquareSums& squares) {
  const __m256d four = squares.fold();
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/// Zero beyond the counted lanes.
inline Lanes only(const Lanes& a, Full) {
  return a;
}
inline Lanes only(const Lanes& a, Part lanes) {
  return keep(a, (uint32_t{1} << lanes.count) - 1);
}

/// body(first index, Full or Part) for every sixteen of `count` elements, then for the rest.
template <typename Body>
void for_lanes(int64_t count, const Body& body) {
  int64_t i = 0;
  for (; i + Lanes::kWidth <= count; i += Lanes::kWidth) body(i, Full{});
  if (i < count) body(i, Part{count - i});
}

}  // namespace
}  // namespace bertha::ops
