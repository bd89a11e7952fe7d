#pragma once

// linear as the contract in linear.h writes it, for float, double or a dual number.

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>

#include "ops/linear.h"

namespace bertha::ops::reference {

template <typename S>
S activate(Activation activation, const S& x) {
  using std::erf;
  using std::tanh;
  if (activation == Activation::kGelu) {
    return x * S(0.5) * (S(1) + erf(x * S(1 / std::numbers::sqrt2)));
  }
  return activation == Activation::kTanh ? tanh(x) : x;
}

/// y [T,N] = act(x [T,K] wᵀ + b), w [N,K]; an empty b is absent.
template <typename S>
void linear(std::span<const S> x, std::span<const S> w, std::span<const S> b, Activation activation,
            size_t inner, std::span<S> y) {
  const size_t tokens = x.size() / inner;
  const size_t rows = w.size() / inner;
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t n = 0; n < rows; ++n) {
      S sum = b.empty() ? S(0) : b[n];
      for (size_t k = 0; k < inner; ++k) sum += x[t * inner + k] * w[n * inner + k];
      y[t * rows + n] = activate(activation, sum);
    }
  }
}

}  // namespace bertha::ops::reference
