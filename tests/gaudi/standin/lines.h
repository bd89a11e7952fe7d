#pragma once

// The lines of an array along one dimension.

#include <cstdint>

#include "gaudi/standin/values.h"

namespace bertha::standin {

struct Line {
  uint64_t begin;
  uint64_t stride;
  uint64_t length;

  uint64_t operator[](uint64_t i) const { return begin + i * stride; }
};

/// Calls visit(line) for every line along `dim`, counted fastest first.
template <typename Visit>
void for_each_line(const Sizes& sizes, size_t dim, const Visit& visit) {
  uint64_t stride = 1;
  for (size_t d = 0; d < dim; ++d) stride *= sizes[d];
  const uint64_t length = sizes[dim];
  const uint64_t count = count_of(sizes) / length;
  for (uint64_t i = 0; i < count; ++i) {
    visit(Line{i / stride * stride * length + i % stride, stride, length});
  }
}

}  // namespace bertha::standin
