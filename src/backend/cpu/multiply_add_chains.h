#pragma once

// For multiply_add_avx2.cc and multiply_add_avx512.cc. The namespace is anonymous, so that the
// linker cannot merge this code with that of files built for other processors.

#include <cstdint>

namespace bertha::cpu {
namespace {

/// A number of chains that hides the latency of an addition on two units. Their start values
/// differ, because the compiler would merge equal chains.
template <typename Vector, typename MultiplyAdd>
float multiply_add_chains(int64_t rounds, const MultiplyAdd& multiply_add) {
  Vector sums[12];
  for (int i = 0; i < 12; ++i) sums[i] = Vector{} + static_cast<float>(rounds % 97 + i);
  const Vector factor = Vector{} + 0.999F;
  for (int64_t i = 0; i < rounds; ++i) {
    for (Vector& sum : sums) sum = multiply_add(sum, factor);
  }
  for (int i = 1; i < 12; ++i) sums[0] += sums[i];
  return sums[0][0];
}

}  // namespace
}  // namespace bertha::cpu
