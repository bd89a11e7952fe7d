#pragma once

// The contract of squared_error.h for float, double or a dual number.

#include <cstddef>
#include <span>

namespace bertha::ops::reference {

template <typename S>
S squared_error(std::span<const S> predictions, std::span<const float> targets) {
  S loss = S(0);
  for (size_t i = 0; i < predictions.size(); ++i) {
    const S off = predictions[i] - S(static_cast<double>(targets[i]));
    loss += off * off;
  }
  return loss;
}

}  // namespace bertha::ops::reference
