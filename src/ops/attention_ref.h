#pragma once

// Attention as the contract in attention.h states it, score by score, for float, double or a dual
// number. Row-major vectors; `keeps(element)` is the dropout rule.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/attention.h"

namespace bertha::ops::reference {

struct AttentionSizes {
  int64_t heads = 0;
  int64_t head_size = 0;
  int64_t max_length = 0;

  int64_t hidden() const { return heads * head_size; }
  int64_t element(int64_t row, int64_t head, int64_t key) const {
    return (row * heads + head) * max_length + key;
  }
};

/// Probabilities of one query over the keys of its sequence, before dropout; *lse is set.
template <typename T>
std::vector<T> attention_row(const std::vector<T>& qkv, const AttentionSizes& sizes, int64_t row,
                             int64_t head, int64_t begin, int64_t end, T* lse) {
  using std::exp, std::log, std::sqrt;
  const int64_t width = 3 * sizes.hidden();
  const T root = sqrt(T(static_cast<double>(sizes.head_size)));
  std::vector<T> p;
  for (int64_t key = begin; key < end; ++key) {
    T dot = T(0);
    for (int64_t d = 0; d < sizes.head_size; ++d) {
      const int64_t column = head * sizes.head_size + d;
      dot += qkv[static_cast<size_t>(row * width + column)] *
             qkv[static_cast<size_t>(key * width + sizes.hidden() + column)];
    }
    p.push_back(dot / root);
  }
  const T most = *std::max_element(p.begin(), p.end());
  T sum = T(0);
  for (T& x : p) sum += x = exp(x - most);
  for (T& x : p) x /= sum;
  *lse = most + log(sum);
  return p;
}

/// Fills y [T,H] and lse [T,heads].
template <typename T, typename Keeps>
void attention(const std::vector<T>& qkv, const std::vector<int32_t>& seq_start,
               const AttentionSizes& sizes, double dropout_scale, const Keeps& keeps,
               std::vector<T>* y, std::vector<T>* lse) {
  const int64_t hidden = sizes.hidden();
  const auto rows = static_cast<int64_t>(qkv.size()) / (3 * hidden);
  y->assign(static_cast<size_t>(rows * hidden), T(0));
  lse->assign(static_cast<size_t>(rows * sizes.heads), T(0));
  for (size_t s = 0; s + 1 < seq_start.size(); ++s) {
    const int64_t begin = seq_start[s];
    const int64_t end = seq_start[s + 1];
    for (int64_t i = begin * sizes.heads; i < end * sizes.heads; ++i) {
      const int64_t row = i / sizes.heads;
      const int64_t head = i % sizes.heads;
      const auto p =
          attention_row(qkv, sizes, row, head, begin, end, &(*lse)[static_cast<size_t>(i)]);
      for (int64_t key = begin; key < end; ++key) {
        if (!keeps(sizes.element(row, head, key - begin))) continue;
        const T weight = p[static_cast<size_t>(key - begin)] * T(dropout_scale);
        for (int64_t c = head * sizes.head_size; c < (head + 1) * sizes.head_size; ++c) {
          (*y)[static_cast<size_t>(row * hidden + c)] +=
              weight * qkv[static_cast<size_t>(key * 3 * hidden + 2 * hidden + c)];
        }
      }
    }
  }
}

/// Gradients that one query of one head gives: to itself, to the keys and to the values.
template <typename T, typename Keeps>
void attention_row_backward(const std::vector<T>& qkv, const AttentionSizes& sizes,
                            double dropout_scale, const Keeps& keeps, const std::vector<T>& d_y,
                            int64_t row, int64_t head, int64_t begin, int64_t end,
                            std::vector<T>* d_qkv) {
  using std::sqrt;
  const int64_t hidden = sizes.hidden();
  const auto at = [&](int64_t r, int64_t part, int64_t d) {
    return static_cast<size_t>(r * 3 * hidden + part * hidden + head * sizes.head_size + d);
  };
  const T* d_out = &d_y[static_cast<size_t>(row * hidden + head * sizes.head_size)];
  T lse = T(0);
  const auto p = attention_row(qkv, sizes, row, head, begin, end, &lse);
  std::vector<T> d_p;
  T mean = T(0);
  for (int64_t key = begin; key < end; ++key) {
    const T kept = T(keeps(sizes.element(row, head, key - begin)) ? dropout_scale : 0.0);
    T dot = T(0);
    for (int64_t d = 0; d < sizes.head_size; ++d) {
      dot += d_out[d] * qkv[at(key, 2, d)];
      (*d_qkv)[at(key, 2, d)] += p[static_cast<size_t>(key - begin)] * kept * d_out[d];
    }
    d_p.push_back(dot * kept);
    mean += d_p.back() * p[static_cast<size_t>(key - begin)];
  }
  const T root = sqrt(T(static_cast<double>(sizes.head_size)));
  for (int64_t key = begin; key < end; ++key) {
    const auto j = static_cast<size_t>(key - begin);
    const T d_score = p[j] * (d_p[j] - mean) / root;
    for (int64_t d = 0; d < sizes.head_size; ++d) {
      (*d_qkv)[at(row, 0, d)] += d_score * qkv[at(key, 1, d)];
      (*d_qkv)[at(key, 1, d)] += d_score * qkv[at(row, 0, d)];
    }
  }
}

/// Fills d_qkv [T,3H].
template <typename T, typename Keeps>
void attention_backward(const std::vector<T>& qkv, const std::vector<int32_t>& seq_start,
                        const AttentionSizes& sizes, double dropout_scale, const Keeps& keeps,
                        const std::vector<T>& d_y, std::vector<T>* d_qkv) {
  d_qkv->assign(qkv.size(), T(0));
  for (size_t s = 0; s + 1 < seq_start.size(); ++s) {
    for (int64_t row = seq_start[s]; row < seq_start[s + 1]; ++row) {
      for (int64_t head = 0; head < sizes.heads; ++head) {
        attention_row_backward(qkv, sizes, dropout_scale, keeps, d_y, row, head, seq_start[s],
                               seq_start[s + 1], d_qkv);
      }
    }
  }
}

}  // namespace bertha::ops::reference
