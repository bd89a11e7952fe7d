#pragma once

// Dropout that every device and every blocking reproduces: whether element e of a tensor is kept is
// 16 bits of Philox. Word (e % 8) / 2, half e % 2 (low first), of
//   philox({e/8 low, e/8 high, site, draw}, seed)
// decides: kept when the 16 bits are at least dropped_of_65536. Kept elements are scaled by
// 65536 / (65536 - dropped_of_65536). The mask is made again in the backward pass, not stored.

#include <cmath>
#include <cstdint>

#include "core/error.h"
#include "core/philox.h"
#include "core/tensor.h"

namespace bertha {

struct Dropout {
  uint32_t dropped_of_65536 = 0;  ///< 0: no dropout
  uint32_t site = 0;              ///< which dropout of the model; no two share a number
  Tensor seed;                    ///< i64 [2] on the device: {seed of the run, draw (32 bits)}

  bool active() const { return dropped_of_65536 != 0; }
  float scale() const { return 65536.0F / static_cast<float>(65536 - dropped_of_65536); }
};

/// Dropout with the probability rounded to 1/65536; throws LogicError outside [0, 1).
inline Dropout make_dropout(double probability, uint32_t site, const Tensor& seed) {
  BERTHA_CHECK(probability >= 0 && probability < 1, "dropout {}", probability);
  const auto dropped = static_cast<uint32_t>(std::lround(probability * 65536));
  return {.dropped_of_65536 = std::min(dropped, 65535U), .site = site, .seed = seed};
}

/// The rule above for one element: the reference, and what tests hold kernels against.
inline bool dropout_keeps(const Dropout& dropout, uint64_t seed, uint32_t draw, int64_t element) {
  const auto block = static_cast<uint64_t>(element) / 8;
  const PhiloxBlock words = philox(
      {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), dropout.site, draw}, seed);
  const uint32_t word = words[static_cast<size_t>(element % 8 / 2)];
  return (element % 2 == 0 ? word & 0xffffU : word >> 16) >= dropout.dropped_of_65536;
}

}  // namespace bertha
