#pragma once

// Attention with fp32 products, written over Floats and compiled for AVX2 and AVX-512. Forward: a
// block of queries against all keys, so that the softmax sees whole rows. Backward: a block of keys
// against all queries, so that only the query gradient has to be added up over blocks.

#include <cmath>

#include "ops/cpu/attention_kernels.h"
#include "ops/cpu/attention_lanes.h"

namespace bertha::ops {
namespace {

constexpr int64_t kColumns = 2 * kWidth;         // of a micro tile
constexpr int64_t kRows = kWidth == 16 ? 8 : 6;  // of a micro tile: its sums fill the registers
constexpr int64_t kQueryBlock = 24;
constexpr int64_t kKeyBlock = 64;
constexpr int64_t kSkew = 16;  // floats that keep rows of scores off each other's cache sets

/// How the left operand lies: element (row, k) at at[row * ld + k], or kTurned at at[k * ld + row].
enum class Lies : uint8_t { kStraight, kTurned };
struct Left {
  const float* at;
  int64_t ld;
};
/// The right operand in panels of kColumns: element (k, column) at
/// at[column / kColumns * panel + k * ld + column % kColumns].
struct Right {
  const float* at;
  int64_t panel;
  int64_t ld;
};
struct Extent {
  int64_t rows;
  int64_t columns;
  int64_t depth;
};
enum class Result : uint8_t { kSet, kAdd };

/// c [kRows, kColumns] = or += a b.
template <Lies kLies, Result kResult>
inline void micro_tile(Left a, const float* b, int64_t ldb, int64_t depth, float* c, int64_t ldc) {
  Floats sum[kRows][2];
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    sum[r][0] = kResult == Result::kAdd ? Floats::load(c + r * ldc) : Floats::all(0);
    sum[r][1] = kResult == Result::kAdd ? Floats::load(c + r * ldc + kWidth) : Floats::all(0);
  }
  for (int64_t k = 0; k < depth; ++k) {
    const Floats b0 = Floats::load(b + k * ldb);
    const Floats b1 = Floats::load(b + k * ldb + kWidth);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      const Floats x =
          Floats::all(kLies == Lies::kStraight ? a.at[r * a.ld + k] : a.at[k * a.ld + r]);
      sum[r][0] = fma(x, b0, sum[r][0]);
      sum[r][1] = fma(x, b1, sum[r][1]);
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
    sum[r][0].store(c + r * ldc);
    sum[r][1].store(c + r * ldc + kWidth);
  }
}

/// c = or += a b. Whole micro tiles are made: a and c have rows up to a multiple of kRows.
template <Lies kLies, Result kResult>
inline void multiply(Left a, Right b, Extent extent, float* c, int64_t ldc) {
  for (int64_t column = 0; column < extent.columns; column += kColumns) {
    const float* panel = b.at + column / kColumns * b.panel;
    for (int64_t row = 0; row < extent.rows; row += kRows) {
      const float* first = a.at + (kLies == Lies::kStraight ? row * a.ld : row);
      micro_tile<kLies, kResult>({first, a.ld}, panel, b.ld, extent.depth, c + row * ldc + column,
                                 ldc);
    }
  }
}

/// to [padded_rows, ld] = scale * rows, zeros around them; ld is a multiple of kWidth.
template <typename T>
inline void pack_rows(const Rows<const T>& rows, float scale, int64_t padded_rows, float* to,
                      int64_t ld) {
  for (int64_t row = 0; row < padded_rows; ++row) {
    for (int64_t column = 0; column < ld; column += kWidth) {
      (rows.load(row, column) * Floats::all(scale)).store(to + row * ld + column);
    }
  }
}

/// The transpose of scale * rows as a right operand: panels of kColumns rows, size elements deep.
template <typename T>
inline void pack_transposed(const Rows<const T>& rows, float scale, float* to) {
  for (int64_t row = 0; row < rows.count; row += kWidth) {
    float* panel = to + row / kColumns * kColumns * rows.size + row % kColumns;
    for (int64_t column = 0; column < rows.size; column += kWidth) {
      Floats x[kWidth];
      for (int64_t i = 0; i < kWidth; ++i) {
        x[i] = rows.load(row + i, column) * Floats::all(scale);
      }
      transpose(x);
      const int64_t depth = least(kWidth, rows.size - column);
      for (int64_t i = 0; i < depth; ++i) x[i].store(panel + (column + i) * kColumns);
    }
  }
  // The second half of the last panel.
  if ((rows.count + kWidth - 1) / kWidth % 2 == 0) return;
  float* rest = to + rows.count / kColumns * kColumns * rows.size + kWidth;
  for (int64_t i = 0; i < rows.size; ++i) Floats::all(0).store(rest + i * kColumns);
}

struct ForwardScratch {
  int64_t columns;  // head size, padded
  int64_t ld;       // of scores
  float* keys;      // [panel][head size][kColumns]
  float* values;    // [length, columns]
  float* queries;   // [kQueryBlock, columns]
  float* scores;    // [kQueryBlock, ld]
  float* outputs;   // [kQueryBlock, columns]
  uint64_t* bits;   // keep bits of a row
  int64_t bytes;

  ForwardScratch(int64_t length, int64_t head_size, std::byte* base) {
    Carver carve(base);
    columns = up_to(head_size, kColumns);
    ld = up_to(length, kColumns) + kSkew;
    keys = carve.take<float>(up_to(length, kColumns) * head_size);
    values = carve.take<float>(length * columns);
    queries = carve.take<float>(kQueryBlock * columns);
    scores = carve.take<float>(kQueryBlock * ld);
    outputs = carve.take<float>(kQueryBlock * columns);
    bits = carve.take<uint64_t>(up_to(length, 64) / 64);
    bytes = carve.used_bytes();
  }
};

/// Exponentials of a row of scores, with the dropped ones 0; returns what makes the output of them:
/// dropout's scale over the sum of all.
template <bool kDropout>
inline float softmax_row(const AttentionCall& call, float* x, int64_t count, const uint64_t* bits,
                         float* lse) {
  const int64_t padded = up_to(count, kWidth);
  const float most = row_maximum(x, count, padded);
  Floats total = Floats::all(0);
  for (int64_t i = 0; i < padded; i += kWidth) {
    const Floats e = exp(Floats::load(x + i) - Floats::all(most));
    total = total + e;
    (kDropout ? keep(run_mask(bits, i), e) : e).store(x + i);
  }
  *lse = most + std::log(sum(total));
  return call.dropout_scale / sum(total);
}

template <typename T>
void forward(const AttentionCall& call, const AttentionItem& item, std::byte* memory) {
  const Operands<T> operands{call, item};
  const ForwardScratch s(item.length, call.head_size, memory);
  const bool dropout = call.dropout.dropped_of_65536 != 0;
  pack_transposed(operands.qkv(1), 1, s.keys);
  pack_rows(operands.qkv(2), 1, item.length, s.values, s.columns);
  const Right keys{s.keys, kColumns * call.head_size, kColumns};
  const Right values{s.values, kColumns, s.columns};
  const Rows<T> y = operands.template in_y<T>(call.y);
  for (int64_t first = item.query_begin; first < item.query_end; first += kQueryBlock) {
    const int64_t count = least(kQueryBlock, item.query_end - first);
    Rows<const T> queries = operands.qkv(0);
    queries.at += first * queries.ld;
    queries.count = count;
    pack_rows(queries, operands.score_scale(), kQueryBlock, s.queries, s.columns);
    multiply<Lies::kStraight, Result::kSet>({s.queries, s.columns}, keys,
                                            {count, item.length, call.head_size}, s.scores, s.ld);
    float scale[kQueryBlock];
    for (int64_t i = 0; i < count; ++i) {
      float* row = s.scores + i * s.ld;
      float* lse = operands.lse(first + i);
      if (dropout) {
        dropout_mask(call.dropout, operands.element(first + i), item.length, s.bits);
        scale[i] = softmax_row<true>(call, row, item.length, s.bits, lse);
      } else {
        scale[i] = softmax_row<false>(call, row, item.length, nullptr, lse);
      }
    }
    multiply<Lies::kStraight, Result::kSet>(
        {s.scores, s.ld}, values, {count, call.head_size, item.length}, s.outputs, s.columns);
    for (int64_t i = 0; i < count; ++i) {
      write_row(y, first + i, s.outputs + i * s.columns, scale[i]);
    }
  }
}

struct BackwardScratch {
  int64_t columns;        // head size, padded
  int64_t queries;        // length, padded
  int64_t ld;             // of scores
  float* q;               // [queries, columns], times the score scale; right operand
  float* d_y;             // [queries, columns]
  float* k;               // [length + kRows, columns], left operand and right
  float* v;               // the same
  float* q_transposed;    // panels
  float* d_y_transposed;  // panels
  float* lse;             // [queries]
  float* delta;           // [queries] Σ d_y y
  float* probabilities;   // [kKeyBlock + kRows, ld]: key by query
  float* d_scores;        // the same
  float* d_q;             // [queries + kRows, columns]
  float* d_rows;          // [kKeyBlock + kRows, columns]: gradients of the block's keys or values
  uint64_t* bits;         // keep bits of a row
  uint32_t* words;        // [length / 32, queries]: see keep_words
  int64_t bytes;

  BackwardScratch(int64_t length, int64_t head_size, std::byte* base) {
    Carver carve(base);
    columns = up_to(head_size, kColumns);
    queries = up_to(length, kColumns);
    ld = queries + kSkew;
    q = carve.take<float>(queries * columns);
    d_y = carve.take<float>(queries * columns);
    k = carve.take<float>((length + kRows) * columns);
    v = carve.take<float>((length + kRows) * columns);
    q_transposed = carve.take<float>(queries * head_size);
    d_y_transposed = carve.take<float>(queries * head_size);
    lse = carve.take<float>(queries);
    delta = carve.take<float>(queries);
    probabilities = carve.take<float>((kKeyBlock + kRows) * ld);
    d_scores = carve.take<float>((kKeyBlock + kRows) * ld);
    d_q = carve.take<float>((queries + kRows) * columns);
    d_rows = carve.take<float>((kKeyBlock + kRows) * columns);
    bits = carve.take<uint64_t>(up_to(length, 64) / 64);
    words = carve.take<uint32_t>(up_to(length, 32) / 32 * queries);
    bytes = carve.used_bytes();
  }
};

/// For one key: scores become dropped probabilities, d_p the gradient of the scores.
template <bool kDropout>
inline void score_gradients(const BackwardScratch& s, float scale, int64_t key, float* score,
                            float* d_p) {
  const uint32_t* words = s.words + key / 32 * s.queries;
  const uint32_t bit = uint32_t{1} << (key % 32);
  for (int64_t i = 0; i < s.queries; i += kWidth) {
    const Floats p = exp(Floats::load(score + i) - Floats::load(s.lse + i));
    Floats d = Floats::load(d_p + i);
    Floats dropped = p;
    if constexpr (kDropout) {
      const Mask mask = bit_mask(words + i, bit);
      d = keep(mask, d * Floats::all(scale));
      dropped = keep(mask, p * Floats::all(scale));
    }
    dropped.store(score + i);
    (p * (d - Floats::load(s.delta + i))).store(d_p + i);
  }
}

template <typename T>
inline void pack_backward(const Operands<T>& operands, const BackwardScratch& s) {
  const AttentionItem& item = operands.item;
  const auto d_y = operands.template in_y<const T>(operands.call.d_y);
  pack_rows(operands.qkv(0), operands.score_scale(), s.queries, s.q, s.columns);
  pack_transposed(operands.qkv(0), operands.score_scale(), s.q_transposed);
  pack_rows(operands.qkv(1), 1, item.length + kRows, s.k, s.columns);
  pack_rows(operands.qkv(2), 1, item.length + kRows, s.v, s.columns);
  pack_rows(d_y, 1, s.queries, s.d_y, s.columns);
  pack_transposed(d_y, 1, s.d_y_transposed);
  load_statistics(operands, s.queries, s.lse, s.delta);
  for (int64_t i = 0; i < (s.queries + kRows) * s.columns; i += kWidth) {
    Floats::all(0).store(s.d_q + i);
  }
  if (operands.call.dropout.dropped_of_65536 != 0) {
    keep_words(operands.call.dropout, operands.element(0), operands.element_step(), item.length,
               s.bits, s.words, s.queries);
  }
}

template <typename T>
void backward(const AttentionCall& call, const AttentionItem& item, std::byte* memory) {
  const Operands<T> operands{call, item};
  const BackwardScratch s(item.length, call.head_size, memory);
  pack_backward(operands, s);
  const int64_t depth = call.head_size;
  const bool dropout = call.dropout.dropped_of_65536 != 0;
  const auto gradients = dropout ? score_gradients<true> : score_gradients<false>;
  // Gradients of one block's keys or values are products over all queries.
  const auto write_block = [&](const float* scores, const float* right, int64_t first,
                               int64_t count, int64_t part) {
    multiply<Lies::kStraight, Result::kSet>({scores, s.ld}, {right, kColumns, s.columns},
                                            {count, depth, item.length}, s.d_rows, s.columns);
    const Rows<T> d_rows = operands.d_qkv(part);
    for (int64_t i = 0; i < count; ++i) {
      write_row(d_rows, first + i, s.d_rows + i * s.columns, 1);
    }
  };
  for (int64_t first = 0; first < item.length; first += kKeyBlock) {
    const int64_t count = least(kKeyBlock, item.length - first);
    const Extent scores{count, item.length, depth};
    multiply<Lies::kStraight, Result::kSet>({s.k + first * s.columns, s.columns},
                                            {s.q_transposed, kColumns * depth, kColumns}, scores,
                                            s.probabilities, s.ld);
    multiply<Lies::kStraight, Result::kSet>({s.v + first * s.columns, s.columns},
                                            {s.d_y_transposed, kColumns * depth, kColumns}, scores,
                                            s.d_scores, s.ld);
    for (int64_t i = 0; i < count; ++i) {
      gradients(s, call.dropout_scale, first + i, s.probabilities + i * s.ld,
                s.d_scores + i * s.ld);
    }
    write_block(s.probabilities, s.d_y, first, count, 2);
    write_block(s.d_scores, s.q, first, count, 1);
    multiply<Lies::kTurned, Result::kAdd>({s.d_scores, s.ld},
                                          {s.k + first * s.columns, kColumns, s.columns},
                                          {item.length, depth, count}, s.d_q, s.columns);
  }
  const Rows<T> d_q = operands.d_qkv(0);
  for (int64_t i = 0; i < item.length; ++i) {
    write_row(d_q, i, s.d_q + i * s.columns, operands.score_scale());
  }
}

int64_t forward_scratch_bytes(int64_t length, int64_t head_size) {
  return ForwardScratch(length, head_size, nullptr).bytes;
}
int64_t backward_scratch_bytes(int64_t length, int64_t head_size) {
  return BackwardScratch(length, head_size, nullptr).bytes;
}

template <typename T>
constexpr AttentionKernels kKernels = {forward_scratch_bytes, forward<T>, backward_scratch_bytes,
                                       backward<T>};

}  // namespace
}  // namespace bertha::ops
