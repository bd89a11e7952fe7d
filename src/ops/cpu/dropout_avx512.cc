#include <immintrin.h>

#include "ops/cpu/dropout_kernels.h"
#include "ops/cpu/dropout_simd.h"

namespace bertha::ops {
namespace {

/// Keep bits of the 64 elements of Philox blocks [block, block + 8). A vector holds one word of
/// eight blocks, in the low halves of its 64-bit lanes, where the multiplier reads them; the high
/// halves hold what is left over. Blocks stand in the order 0 4 1 5 2 6 3 7, so that joining pairs
/// of words at the end leaves the elements in order.
inline uint64_t keep_64(const DropoutStream& stream, uint64_t block) {
  const __m512i multiplier0 = _mm512_set1_epi64(0xD2511F53);
  const __m512i multiplier1 = _mm512_set1_epi64(0xCD9E8D57);
  __m512i c0 = _mm512_add_epi64(_mm512_set1_epi64(static_cast<int64_t>(block)),
                                _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
  __m512i c1 = _mm512_srli_epi64(c0, 32);
  __m512i c2 = _mm512_set1_epi64(stream.site);
  __m512i c3 = _mm512_set1_epi64(stream.draw);
  auto key0 = static_cast<uint32_t>(stream.seed);
  auto key1 = static_cast<uint32_t>(stream.seed >> 32);
  constexpr int kXor3 = 0x96;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const __m512i product0 = _mm512_mul_epu32(c0, multiplier0);
    const __m512i product1 = _mm512_mul_epu32(c2, multiplier1);
    c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(product1, 32), c1, _mm512_set1_epi64(key0),
                                   kXor3);
    c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(product0, 32), c3, _mm512_set1_epi64(key1),
                                   kXor3);
    c1 = product1;
    c3 = product0;
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  const __m512i first = _mm512_mask_blend_epi32(0xAAAA, c0, _mm512_slli_epi64(c1, 32));
  const __m512i second = _mm512_mask_blend_epi32(0xAAAA, c2, _mm512_slli_epi64(c3, 32));
  const __m512i threshold = _mm512_set1_epi16(static_cast<int16_t>(stream.dropped_of_65536));
  const __mmask32 low = _mm512_cmpge_epu16_mask(_mm512_unpacklo_epi64(first, second), threshold);
  const __mmask32 high = _mm512_cmpge_epu16_mask(_mm512_unpackhi_epi64(first, second), threshold);
  // Joined in a mask register. Of a mask that is widened to 64 bits first, gcc 12 stores 32 bits
  // where it lacks a register, and loads 64.
  return _mm512_kunpackd(high, low);
}

}  // namespace

void dropout_mask_avx512(const DropoutStream& stream, int64_t first, int64_t n, uint64_t* bits) {
  write_mask_words(first, n, bits, [&](uint64_t block) { return keep_64(stream, block); });
}

}  // namespace bertha::ops
