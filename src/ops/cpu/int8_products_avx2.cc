// Sums of byte products with AVX2. Its product of unsigned by signed bytes saturates at 16 bits,
// so both are widened to 16 bits first, and pairs of their products are summed in 32 bits.

#include <immintrin.h>

#include <cstddef>

#include "ops/cpu/int8_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kMostRows = 2;

/// Four bytes as 16-bit numbers, repeated four times.
inline __m256i widened(const uint8_t* from) {
  int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
}

/// Each quarter has the sums of four channels, two a channel. Adds these pairs up.
inline void store_sums(const __m256i (&quarters)[4], int32_t* to) {
  for (int half = 0; half < 2; ++half) {
    const __m256i mixed = _mm256_hadd_epi32(quarters[2 * half], quarters[2 * half + 1]);
    // hadd takes turns between its operands' 128-bit lanes.
    const __m256i ordered = _mm256_permute4x64_epi64(mixed, _MM_SHUFFLE(3, 1, 2, 0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 8 * half), ordered);
  }
}

template <size_t kRows>
void multiply_rows(const Int8Block& block) {
  __m256i sums[kRows][4];
  for (auto& row : sums) {
    for (__m256i& sum : row) sum = _mm256_setzero_si256();
  }
  for (int64_t k = 0; k < block.depth; k += 4) {
    const auto* const w = reinterpret_cast<const __m128i*>(block.w + 16 * k);
    __m256i x[kRows];
    for (size_t r = 0; r < kRows; ++r)
      x[r] = widened(block.x + static_cast<int64_t>(r) * block.depth + k);
#pragma GCC unroll 4
    for (int quarter = 0; quarter < 4; ++quarter) {
      const __m256i weights = _mm256_cvtepi8_epi16(_mm_loadu_si128(w + quarter));
      for (size_t r = 0; r < kRows; ++r) {
        sums[r][quarter] = _mm256_add_epi32(sums[r][quarter], _mm256_madd_epi16(x[r], weights));
      }
    }
  }
  for (size_t r = 0; r < kRows; ++r) store_sums(sums[r], block.sums + r * 16);
}

void multiply(const Int8Block& block) {
  block.rows == 1 ? multiply_rows<1>(block) : multiply_rows<2>(block);
}

Int8BlockShape shape(int64_t /*rows*/) {
  return {kMostRows, 1};
}

}  // namespace

const Int8Products kInt8ProductsAvx2 = {shape, multiply};

}  // namespace bertha::ops
