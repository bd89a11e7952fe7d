#pragma once

// The order of sums under --deterministic. The gradients of a step's G micro-batches are summed as
// one tree, however many ranks share them: T(first, n) = T(first, n/2) + T(first + n/2, n/2) for
// even n, left to right for odd n. A rank holds G / ranks micro-batches in a row, so with a power
// of two of ranks its part is a subtree, and the ranks' sums are the upper levels of the same tree.

#include <algorithm>
#include <cstdint>

#include "core/threads.h"

namespace bertha::comm {

/// The largest odd divisor: micro-batches that are summed left to right at the tree's foot.
constexpr int64_t odd_part(int64_t count) {
  while (count > 0 && count % 2 == 0) count /= 2;
  return count;
}

/// to[i] += from[i].
inline void add_to(float* to, const float* from, int64_t count) {
  parallel_ranges(count, 1 << 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

/// Sums `parts` arrays of `count` that lie end to end, by the tree above; the sum is left in the
/// first. The others are used up.
inline void sum_by_tree(float* values, int64_t parts, int64_t count) {
  if (parts % 2 == 0) {
    const int64_t half = parts / 2;
    sum_by_tree(values, half, count);
    sum_by_tree(values + half * count, half, count);
    add_to(values, values + half * count, count);
    return;
  }
  for (int64_t part = 1; part < parts; ++part) add_to(values, values + part * count, count);
}

}  // namespace bertha::comm
