#pragma once

// The mixture of packing strategies, by non-negative least squares (Krell, Kosec, Perez,
// Fitzgibbon: "Efficient sequence packing without cross-contamination", 2021, NNLSHP), solved with
// the active set method of Lawson and Hanson ("Solving least squares problems", 1974, chapter 23).

#include <cstdint>
#include <span>
#include <vector>

namespace bertha::dataset {

/// A way to fill a row: lengths of its slots, rising, their sum the row's length.
using Strategy = std::vector<int32_t>;

struct WeightedStrategy {
  Strategy slots;
  double rows = 0;  ///< > 0
};

/// The strategies of at most `most_slots` slots, and how many rows of each, that minimise
///   sum over lengths l of weights[l] · (slots of length l − wanted[l])².
/// `wanted` and `weights` have S + 1 entries, S being the row's length; entry 0 is not used. At
/// most S strategies come back, in an order that depends on the input alone.
std::vector<WeightedStrategy> solve_mixture(std::span<const double> wanted,
                                            std::span<const double> weights, int64_t most_slots);

}  // namespace bertha::dataset
