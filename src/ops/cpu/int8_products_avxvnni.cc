// Sums of byte products with AVX-VNNI, the instructions of 256 bits: a panel is two vectors.

#include <immintrin.h>

#include <cstddef>

#include "ops/cpu/int8_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kMostRows = 6;  ///< 12 vectors of sums; two of weights and one of x beside them

inline __m256i broadcast(const uint8_t* from) {
  int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return _mm256_set1_epi32(four);
}

template <size_t kRows>
void multiply_rows(const Int8Block& block) {
  __m256i sums[kRows][2];
  for (auto& row : sums) row[0] = row[1] = _mm256_setzero_si256();
  for (int64_t k = 0; k < block.depth; k += 4) {
    const auto* const w = reinterpret_cast<const __m256i*>(block.w + 16 * k);
    const __m256i low = _mm256_loadu_si256(w);
    const __m256i high = _mm256_loadu_si256(w + 1);
    if (block.ahead != nullptr) _mm_prefetch(block.ahead + 16 * k, _MM_HINT_T1);
#pragma GCC unroll 6
    for (size_t r = 0; r < kRows; ++r) {
      const __m256i x = broadcast(block.x + static_cast<int64_t>(r) * block.depth + k);
      sums[r][0] = _mm256_dpbusd_avx_epi32(sums[r][0], x, low);
      sums[r][1] = _mm256_dpbusd_avx_epi32(sums[r][1], x, high);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    auto* const to = reinterpret_cast<__m256i*>(block.sums + r * 16);
    _mm256_storeu_si256(to, sums[r][0]);
    _mm256_storeu_si256(to + 1, sums[r][1]);
  }
}

void multiply(const Int8Block& block) {
  constexpr void (*kByRows[])(const Int8Block&) = {multiply_rows<1>, multiply_rows<2>,
                                                   multiply_rows<3>, multiply_rows<4>,
                                                   multiply_rows<5>, multiply_rows<6>};
  kByRows[block.rows - 1](block);
}

Int8BlockShape shape(int64_t /*rows*/) {
  return {kMostRows, 1};
}

}  // namespace

const Int8Products kInt8ProductsAvxVnni = {shape, multiply};

}  // namespace bertha::ops
