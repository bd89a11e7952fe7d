#include <immintrin.h>

#include "backend/cpu/multiply_add_chains.h"
#include "backend/cpu/multiply_add_rate.h"

namespace bertha::cpu {

float multiply_add_avx2(int64_t rounds) {
  return multiply_add_chains<__m256>(
      rounds, [](__m256 sum, __m256 factor) { return _mm256_fmadd_ps(sum, factor, factor); });
}

}  // namespace bertha::cpu
