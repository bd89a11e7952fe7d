#include <immintrin.h>

#include "ops/cpu/dropout_kernels.h"
#include "ops/cpu/dropout_simd.h"

namespace bertha::ops {
namespace {

/// Keep bits of the 32 elements of Philox blocks [block, block + 4). A vector holds one word of
/// four blocks, in the low halves of its 64-bit lanes, where the multiplier reads them; the high
/// halves hold what is left over.
inline uint64_t keep_32(const DropoutStream& stream, uint64_t block) {
  const __m256i multiplier0 = _mm256_set1_epi64x(0xD2511F53);
  const __m256i multiplier1 = _mm256_set1_epi64x(0xCD9E8D57);
  __m256i c0 = _mm256_add_epi64(_mm256_set1_epi64x(static_cast<int64_t>(block)),
                                _mm256_setr_epi64x(0, 1, 2, 3));
  __m256i c1 = _mm256_srli_epi64(c0, 32);
  __m256i c2 = _mm256_set1_epi64x(stream.site);
  __m256i c3 = _mm256_set1_epi64x(stream.draw);
  auto key0 = static_cast<uint32_t>(stream.seed);
  auto key1 = static_cast<uint32_t>(stream.seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const __m256i product0 = _mm256_mul_epu32(c0, multiplier0);
    const __m256i product1 = _mm256_mul_epu32(c2, multiplier1);
    c0 = _mm256_xor_si256(_mm256_srli_epi64(product1, 32),
                          _mm256_xor_si256(c1, _mm256_set1_epi64x(key0)));
    c2 = _mm256_xor_si256(_mm256_srli_epi64(product0, 32),
                          _mm256_xor_si256(c3, _mm256_set1_epi64x(key1)));
    c1 = product1;
    c3 = product0;
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  const __m256i first = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA);
  const __m256i second = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA);
  const __m256i low = _mm256_unpacklo_epi64(first, second);
  const __m256i high = _mm256_unpackhi_epi64(first, second);
  // x >= threshold without signs, which AVX2 lacks: max(x, threshold) is x.
  const __m256i threshold = _mm256_set1_epi16(static_cast<int16_t>(stream.dropped_of_65536));
  const __m256i keep =
      _mm256_packs_epi16(_mm256_cmpeq_epi16(_mm256_max_epu16(low, threshold), low),
                         _mm256_cmpeq_epi16(_mm256_max_epu16(high, threshold), high));
  return static_cast<uint32_t>(_mm256_movemask_epi8(keep));
}

inline uint64_t keep_64(const DropoutStream& stream, uint64_t block) {
  return keep_32(stream, block) | keep_32(stream, block + 4) << 32;
}

}  // namespace

void dropout_mask_avx2(const DropoutStream& stream, int64_t first, int64_t n, uint64_t* bits) {
  write_mask_words(first, n, bits, [&](uint64_t block) { return keep_64(stream, block); });
}

}  // namespace bertha::ops
