#pragma once

// Softmax cross entropy as the contract in cross_entropy.h writes it, for float, double or a dual
// number.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bertha::ops::reference {

template <typename S>
struct CrossEntropy {
  S loss = S(0);
  int64_t hits = 0;
};

template <typename S>
CrossEntropy<S> cross_entropy(std::span<const S> logits, std::span<const int32_t> labels) {
  using std::exp;
  using std::log;
  CrossEntropy<S> result;
  const size_t columns = labels.empty() ? 0 : logits.size() / labels.size();
  for (size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] == -1) continue;
    const std::span<const S> x = logits.subspan(row * columns, columns);
    const auto label = static_cast<size_t>(labels[row]);
    size_t best = 0;
    for (size_t c = 1; c < columns; ++c) {
      if (x[c] > x[best]) best = c;
    }
    S sum = S(0);
    for (const S& logit : x) sum += exp(logit - x[best]);
    result.loss += log(sum) + x[best] - x[label];
    if (best == label) ++result.hits;
  }
  return result;
}

}  // namespace bertha::ops::reference
