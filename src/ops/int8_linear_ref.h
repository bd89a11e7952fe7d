#pragma once

// int8_linear as the contract in int8_linear.h writes it.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "ops/linear_ref.h"

namespace bertha::ops::reference {

/// One token as integers of [0, 255], less their zero point, and their scale, in float as all
/// kernels do it: the integers are part of the contract.
struct Int8Token {
  std::vector<int> integers;
  float scale = 0;
};

inline Int8Token quantize_token(std::span<const float> x) {
  Int8Token token{.integers = std::vector<int>(x.size())};
  float low = 0;
  float high = 0;
  for (const float value : x) {
    if (!std::isfinite(value)) {
      token.scale = std::numeric_limits<float>::quiet_NaN();
      return token;
    }
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (std::max(-low, high) < 0x1p-100F) return token;
  token.scale = high / 255.0F - low / 255.0F;
  const float inverse = 1.0F / token.scale;
  const int zero = static_cast<int>(std::nearbyint(-low * inverse));
  for (size_t i = 0; i < x.size(); ++i) {
    const int byte = static_cast<int>(std::nearbyint(x[i] * inverse)) + zero;
    token.integers[i] = std::min(byte, 255) - zero;
  }
  return token;
}

/// Σ_k q[k] w[n][k] of one token for every channel; w [N,K].
inline std::vector<int64_t> int8_sums(const Int8Token& token, std::span<const int8_t> w) {
  const size_t inputs = token.integers.size();
  std::vector<int64_t> sums(w.size() / inputs);
  for (size_t i = 0; i < w.size(); ++i) {
    sums[i / inputs] += int64_t{token.integers[i % inputs]} * w[i];
  }
  return sums;
}

/// The product's operands; an empty bias is absent.
struct Int8Operands {
  std::span<const float> x;       ///< [T,K]
  std::span<const int8_t> w;      ///< [N,K]
  std::span<const float> scales;  ///< [N]
  std::span<const float> bias;    ///< [N]
};

/// y [T,N] in double.
inline std::vector<double> int8_linear(const Int8Operands& in, Activation activation) {
  const size_t channels = in.scales.size();
  const size_t inputs = in.w.size() / channels;
  std::vector<double> y;
  for (size_t at = 0; at < in.x.size(); at += inputs) {
    const Int8Token token = quantize_token(in.x.subspan(at, inputs));
    const std::vector<int64_t> sums = int8_sums(token, in.w);
    for (size_t n = 0; n < channels; ++n) {
      const double product = double{in.scales[n]} * token.scale * static_cast<double>(sums[n]);
      y.push_back(activate(activation, product + (in.bias.empty() ? 0 : double{in.bias[n]})));
    }
  }
  return y;
}

}  // namespace bertha::ops::reference
