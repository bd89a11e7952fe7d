#pragma once

// Transposition of a square of floats, or of words, in registers. As vector_math.h, for files built
// for one instruction set only.

#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

#if defined(__AVX512F__)

/// Row i of `x` becomes column i. Pairs of rows, then of pairs, are interleaved in each 128-bit
/// lane; the lanes are then transposed as a 4 by 4 matrix.
inline void transpose(Floats (&x)[16]) {
  __m512 t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(x[i].v, x[i + 1].v);
    t[i + 1] = _mm512_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  const auto pair = [](__m512 a, __m512 b, bool high) {
    const __m512d c = _mm512_castps_pd(a);
    const __m512d d = _mm512_castps_pd(b);
    return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(c, d) : _mm512_unpacklo_pd(c, d));
  };
  __m512 u[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    u[i] = pair(t[i], t[i + 2], false);
    u[i + 1] = pair(t[i], t[i + 2], true);
    u[i + 2] = pair(t[i + 1], t[i + 3], false);
    u[i + 3] = pair(t[i + 1], t[i + 3], true);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x44);
    const __m512 b = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xEE);
    const __m512 c = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x44);
    const __m512 d = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xEE);
    x[i].v = _mm512_shuffle_f32x4(a, c, 0x88);
    x[i + 4].v = _mm512_shuffle_f32x4(a, c, 0xDD);
    x[i + 8].v = _mm512_shuffle_f32x4(b, d, 0x88);
    x[i + 12].v = _mm512_shuffle_f32x4(b, d, 0xDD);
  }
}

#else

inline void transpose(Floats (&x)[8]) {
  __m256 t[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(x[i].v, x[i + 1].v);
    t[i + 1] = _mm256_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  __m256 u[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    x[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

#endif

}  // namespace
}  // namespace bertha::ops
