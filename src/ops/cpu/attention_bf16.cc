// Attention on the dot products of AVX512-BF16: 8 rows by 32 columns of sums in 16 registers.

#include "ops/cpu/attention_bf16.h"

namespace bertha::ops {
namespace {

struct DotProducts {
  static constexpr int64_t kRows = 8;

  template <bool kAdd>
  static void multiply(const uint16_t* a, int64_t lda, const uint32_t* b, int64_t panel,
                       int64_t depth, float* c, int64_t ldc) {
    __m512 sums[kRows][2];
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      sums[r][0] = kAdd ? _mm512_loadu_ps(c + r * ldc) : _mm512_setzero_ps();
      sums[r][1] = kAdd ? _mm512_loadu_ps(c + r * ldc + kTile) : _mm512_setzero_ps();
    }
    for (int64_t k = 0; k < depth; k += 2, b += kTile) {
      const __m512bh b0 = as_bf16(_mm512_loadu_si512(b));
      const __m512bh b1 = as_bf16(_mm512_loadu_si512(b + panel));
#pragma GCC unroll 8
      for (int64_t r = 0; r < kRows; ++r) {
        int32_t pair;
        __builtin_memcpy(&pair, a + r * lda + k, sizeof(pair));
        const __m512bh x = as_bf16(_mm512_set1_epi32(pair));
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], x, b0);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], x, b1);
      }
    }
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      _mm512_storeu_ps(c + r * ldc, sums[r][0]);
      _mm512_storeu_ps(c + r * ldc + kTile, sums[r][1]);
    }
  }

 private:
  static __m512bh as_bf16(__m512i words) {
    return reinterpret_cast<__m512bh>(words);
  }
};

}  // namespace

const AttentionKernels kAttentionAvx512Bf16Products = kKernels<DotProducts>;

}  // namespace bertha::ops
