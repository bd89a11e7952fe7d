#pragma once

// linear as the contract in linear.h writes it, for float, double or a dual number.

#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

#include "ops/linear.h"

namespace bertha::ops::reference {

template <typename S>
S activate(Activation activation, const S& x) {
  using std::erf;
  using std::exp;
  using std::tanh;
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return x * S(0.5) * (S(1) + erf(x * S(1 / std::numbers::sqrt2)));
    case Activation::kTanh:
      return tanh(x);
    case Activation::kGeluTanh: {
      const S inner = S(std::sqrt(2 / std::numbers::pi)) * (x + S(0.044715) * x * x * x);
      return x * S(0.5) * (S(1) + tanh(inner));
    }
    case Activation::kRelu:
      return x > S(0) ? x : S(0);
    case Activation::kSilu:
      return x / (S(1) + exp(-x));
  }
  return x;
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

template <typename S>
struct LinearGradients {
  std::vector<S> x, w, b;
};

/// The gradients of x, w and b from d [T,N], that of x wᵀ + b.
template <typename S>
LinearGradients<S> linear_backward(std::span<const S> x, std::span<const S> w, std::span<const S> d,
                                   size_t inner) {
  const size_t rows = w.size() / inner;
  LinearGradients<S> g{.x = std::vector<S>(x.size()), .w = std::vector<S>(w.size()), .b = {}};
  g.b.resize(rows);
  for (size_t i = 0; i < d.size(); ++i) {
    const size_t t = i / rows;
    const size_t n = i % rows;
    g.b[n] += d[i];
    for (size_t k = 0; k < inner; ++k) {
      g.x[t * inner + k] += d[i] * w[n * inner + k];
      g.w[n * inner + k] += d[i] * x[t * inner + k];
    }
  }
  return g;
}

}  // namespace bertha::ops::reference
