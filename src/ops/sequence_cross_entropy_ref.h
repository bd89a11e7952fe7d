#pragma once

// The contract of sequence_cross_entropy.h for float, double or a dual number.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bertha::ops::reference {

/// Sum of the losses.
template <typename S>
S sequence_cross_entropy(std::span<const S> logits, std::span<const int32_t> seq_start,
                         std::span<const int32_t> labels) {
  using std::exp;
  using std::log;
  S loss = S(0);
  const size_t sequences = seq_start.size() - 1;
  const size_t columns = labels.size() / sequences;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == -1) continue;
    const auto begin = static_cast<size_t>(seq_start[i / columns]);
    const auto end = static_cast<size_t>(seq_start[i / columns + 1]);
    const auto at = [&](size_t token) { return logits[token * columns + i % columns]; };
    S sum = S(0);
    for (size_t token = begin; token < end; ++token) sum += exp(at(token) - at(begin));
    loss += log(sum) + at(begin) - at(begin + static_cast<size_t>(labels[i]));
  }
  return loss;
}

}  // namespace bertha::ops::reference
