#pragma once

// The order of sums with --deterministic. The gradients of a step's G micro-batches are summed as
// one tree, independent of the number of ranks: T(first, n) = T(first, n/2) + T(first + n/2, n/2)
// for even n, left to right for odd n. A rank holds G / ranks consecutive micro-batches. With a
// power of two of ranks, the sum of a rank is a subtree, and the sums of the ranks form the upper
// levels of the same tree.

#include <algorithm>
#include <cstdint>

#include "core/parallel_for.h"

namespace bertha::comm {

/// The largest odd divisor: the number of micro-batches in each leaf, summed left to right.
constexpr int64_t odd_part(int64_t count) {
  while (count > 0 && count % 2 == 0) count /= 2;
  return count;
}

/// to[i] += from[i].
inline void add_to(float* to, const float* from, int64_t count) {
  parallel_ranges(count, 1 << 16, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

/// Sums `parts` arrays of `count` values, stored end to end, by the tree above. The first array
/// receives the sum; the others are overwritten.
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
