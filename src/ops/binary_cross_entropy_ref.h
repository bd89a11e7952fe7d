#pragma once

// The contract of binary_cross_entropy.h for float, double or a dual number.

#include <cmath>
#include <cstddef>
#include <span>

namespace bertha::ops::reference {

/// Sum of the losses: -t log(p) - (1 - t) log(1 - p) with p = 1 / (1 + exp(-x)).
template <typename S>
S binary_cross_entropy(std::span<const S> logits, std::span<const float> targets) {
  using std::exp;
  using std::log;
  S loss = S(0);
  for (size_t i = 0; i < logits.size(); ++i) {
    const S target = S(static_cast<double>(targets[i]));
    loss += target * log(S(1) + exp(-logits[i])) + (S(1) - target) * log(S(1) + exp(logits[i]));
  }
  return loss;
}

}  // namespace bertha::ops::reference
