#pragma once

// Computes the mixture of packing strategies by non-negative least squares (Krell, Kosec, Perez,
// Fitzgibbon: "Efficient sequence packing without cross-contamination", 2021, NNLSHP), with the
// active set method of Lawson and Hanson ("Solving least squares problems", 1974, chapter 23).

#include <cstdint>
#include <span>
#include <vector>

namespace bertha::dataset {

/// A way to fill a row: ascending lengths of its slots, whose sum is the length of the row.
using Strategy = std::vector<int32_t>;

struct WeightedStrategy {
  Strategy slots;
  double rows = 0;  ///< > 0
};

/// The strategies of at most `most_slots` slots, and the number of rows of each, that minimize
///   sum over lengths l of weights[l] · (slots of length l − wanted[l])².
/// `wanted` and `weights` have S + 1 entries, where S is the length of a row; entry 0 is not used.
/// Returns at most S strategies, in an order that depends on the input alone.
std::vector<WeightedStrategy> solve_mixture(std::span<const double> wanted,
                                            std::span<const double> weights, int64_t most_slots);

}  // namespace bertha::dataset
