#pragma once

// Operands of different sizes: a size of 1 and a missing slow dimension repeat.

#include <array>
#include <cstddef>
#include <cstdint>

#include "gaudi/standin/node_kinds.h"

namespace bertha::standin {

/// The sizes that all operands together have. Throws Refusal where they do not fit.
template <size_t N>
Sizes broadcast_sizes(const Call& call, const std::array<const Sizes*, N>& operands) {
  Sizes all;
  for (const Sizes* sizes : operands) all.resize(std::max(all.size(), sizes->size()), 1);
  for (const Sizes* sizes : operands) {
    for (size_t dim = 0; dim < sizes->size(); ++dim) {
      call.expect((*sizes)[dim] == all[dim] || (*sizes)[dim] == 1 || all[dim] == 1,
                  "an input of the sizes {} does not repeat to {}", to_text(*sizes), to_text(all));
      all[dim] = std::max(all[dim], (*sizes)[dim]);
    }
  }
  return all;
}

/// Calls visit(index in all, {index in each operand}) for every element of `all`.
template <size_t N, typename Visit>
void for_each_element(const Sizes& all, const std::array<const Sizes*, N>& operands,
                      const Visit& visit) {
  std::array<Sizes, N> strides;
  for (size_t n = 0; n < N; ++n) {
    strides[n].assign(all.size(), 0);
    uint64_t stride = 1;
    for (size_t dim = 0; dim < operands[n]->size(); ++dim) {
      const uint64_t size = (*operands[n])[dim];
      if (size != 1) strides[n][dim] = stride;
      stride *= size;
    }
  }
  Sizes at(all.size(), 0);
  std::array<uint64_t, N> places{};
  const uint64_t count = count_of(all);
  for (uint64_t index = 0; index < count; ++index) {
    visit(index, places);
    for (size_t dim = 0; dim < all.size(); ++dim) {
      for (size_t n = 0; n < N; ++n) places[n] += strides[n][dim];
      if (++at[dim] < all[dim]) break;
      for (size_t n = 0; n < N; ++n) places[n] -= strides[n][dim] * all[dim];
      at[dim] = 0;
    }
  }
}

}  // namespace bertha::standin
