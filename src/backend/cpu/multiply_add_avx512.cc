#include <immintrin.h>

#include "backend/cpu/multiply_add_chains.h"
#include "backend/cpu/multiply_add_rate.h"

namespace bertha::cpu {

float multiply_add_avx512(int64_t rounds) {
  return multiply_add_chains<__m512>(
      rounds, [](__m512 sum, __m512 factor) { return _mm512_fmadd_ps(sum, factor, factor); });
}

}  // namespace bertha::cpu
