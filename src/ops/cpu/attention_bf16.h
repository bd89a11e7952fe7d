#pragma once

// Attention with bf16 products and fp32 sums, for processors that have such: on tiles of AMX or on
// the dot products of AVX512-BF16. The order of the work is that of attention_f32.h; operands are
// packed into the layouts of both, padded to 32 in every direction.
//
// What makes the products is a parameter. Unit::multiply<kAdd>(a, lda, b, panel, depth, c, ldc) is
// c [Unit::kRows, 32] = or += a b, with a [kRows, depth] in rows of lda elements and b in Panels.
// An object of the unit lives as long as it is used.

#include "ops/cpu/attention_kernels.h"
#include "ops/cpu/attention_lanes.h"

namespace bertha::ops {
namespace {

constexpr int64_t kTile = 16;   // rows of a tile; columns of fp32
constexpr int64_t kBlock = 32;  // two tiles, or the depth of one in bf16
constexpr int64_t kKeyBlock = 128;
constexpr int64_t kSkew = 32;  // elements that keep rows off each other's cache sets
// Scores are made this many columns at a time, so that they stay in the first cache.
constexpr int64_t kChunk = 256;
constexpr int64_t kChunkLd = kChunk + kSkew;

/// The right operand: panels of 16 columns; in a panel, rows of 16 words, each word holding rows 2k
/// and 2k + 1 of a column.
struct Panels {
  const uint32_t* at;
  int64_t stride;  // words from panel to panel
};
/// Rows are a multiple of the unit's, columns and depth of kBlock.
struct Extent {
  int64_t rows;
  int64_t columns;
  int64_t depth;
};

/// c = or += a b, a [rows, depth].
template <typename Unit, bool kAdd>
inline void multiply(const uint16_t* a, int64_t lda, Panels b, Extent extent, float* c,
                     int64_t ldc) {
  for (int64_t column = 0; column < extent.columns; column += kBlock) {
    for (int64_t row = 0; row < extent.rows; row += Unit::kRows) {
      Unit::template multiply<kAdd>(a + row * lda, lda, b.at + column / kTile * b.stride, b.stride,
                                    extent.depth, c + row * ldc + column, ldc);
    }
  }
}

using HeadRows = Rows<const uint16_t>;

/// 32 elements of a row, zeros outside.
inline __m512i load_32(const HeadRows& rows, int64_t row, int64_t column) {
  if (row >= rows.count || column >= rows.size) return _mm512_setzero_si512();
  const int64_t count = least(kBlock, rows.size - column);
  const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << count) - 1);
  return _mm512_maskz_loadu_epi16(mask, rows.at + row * rows.ld + column);
}

/// Brings a row of a head into the caches some rows before it is read: the rows of a head lie too
/// far apart for the processor to foresee them.
inline void fetch_ahead(const HeadRows& rows, int64_t row) {
  constexpr int64_t kRowsAhead = 16;
  constexpr int64_t kLine = 64 / sizeof(uint16_t);
  if (row + kRowsAhead >= rows.count) return;
  const uint16_t* const at = rows.at + (row + kRowsAhead) * rows.ld;
  for (int64_t i = 0; i < rows.size; i += kLine) __builtin_prefetch(at + i);
}

/// to [padded_rows, columns]: a left operand.
inline void pack_rows(const HeadRows& rows, int64_t padded_rows, int64_t columns, uint16_t* to) {
  for (int64_t row = 0; row < padded_rows; ++row) {
    fetch_ahead(rows, row);
    for (int64_t column = 0; column < columns; column += kBlock) {
      _mm512_storeu_si512(to + row * columns + column, load_32(rows, row, column));
    }
  }
}

inline void transpose_words(__m512i (&x)[16]) {
  Floats y[16];
  for (int i = 0; i < 16; ++i) y[i].v = _mm512_castsi512_ps(x[i]);
  transpose(y);
  for (int i = 0; i < 16; ++i) x[i] = _mm512_castps_si512(y[i].v);
}

/// The rows as columns of a right operand: depth is the head size.
inline void pack_transposed(const HeadRows& rows, int64_t padded_rows, int64_t columns,
                            uint32_t* to) {
  for (int64_t row = 0; row < padded_rows; row += kTile) {
    uint32_t* panel = to + row * (columns / 2);
    for (int64_t column = 0; column < columns; column += kBlock) {
      __m512i x[16];
      for (int64_t i = 0; i < kTile; ++i) {
        if (column == 0) fetch_ahead(rows, row + i);
        x[i] = load_32(rows, row + i, column);
      }
      transpose_words(x);
      for (int64_t i = 0; i < kTile; ++i) {
        _mm512_storeu_si512(panel + (column / 2 + i) * kTile, x[i]);
      }
    }
  }
}

/// Words of the 16 lower halves of a and the 16 of b: (a0, b0), (a1, b1), …
inline __m512i pair_halves(__m512i ab) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, ab);
}

/// The rows as rows of a right operand: depth is the number of rows.
inline void pack_pairs(const HeadRows& rows, int64_t padded_rows, int64_t columns, uint32_t* to) {
  const int64_t panel = padded_rows / 2 * kTile;
  for (int64_t row = 0; row < padded_rows; row += 2) {
    fetch_ahead(rows, row);
    fetch_ahead(rows, row + 1);
    for (int64_t column = 0; column < columns; column += kBlock) {
      const __m512i a = load_32(rows, row, column);
      const __m512i b = load_32(rows, row + 1, column);
      uint32_t* low = to + column / kTile * panel + row / 2 * kTile;
      _mm512_storeu_si512(low, pair_halves(_mm512_shuffle_i64x2(a, b, 0x44)));
      _mm512_storeu_si512(low + panel, pair_halves(_mm512_shuffle_i64x2(a, b, 0xEE)));
    }
  }
}

/// to [columns, ld]: the transpose as a left operand, from the panels of pack_pairs.
inline void transpose_pairs(const uint32_t* pairs, int64_t padded_rows, int64_t columns,
                            uint16_t* to, int64_t ld) {
  for (int64_t column = 0; column < columns; column += kTile) {
    const uint32_t* panel = pairs + column * (padded_rows / 2);
    for (int64_t row = 0; row < padded_rows; row += kBlock) {
      __m512i x[16];
      for (int64_t i = 0; i < kTile; ++i) {
        x[i] = _mm512_loadu_si512(panel + (row / 2 + i) * kTile);
      }
      transpose_words(x);
      for (int64_t i = 0; i < kTile; ++i) {
        _mm512_storeu_si512(to + (column + i) * ld + row, x[i]);
      }
    }
  }
}

/// bf16 of low, then of high.
inline __m512i narrow(Floats low, Floats high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high.v, low.v));
}
inline void store_halves(__m512i x, uint16_t* low, uint16_t* high) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(low), _mm512_castsi512_si256(x));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(high), _mm512_extracti64x4_epi64(x, 1));
}

struct ForwardScratch {
  int64_t columns;    // head size, padded
  int64_t keys;       // length, padded
  uint32_t* k;        // right operand of q kᵀ
  uint32_t* v;        // right operand of p v
  uint16_t* queries;  // [kBlock, columns]
  float* scores;      // [kBlock, kChunk + kSkew]
  uint16_t* p;        // [kBlock, kChunk + kSkew]
  float* outputs;     // [kBlock, columns]
  uint64_t* bits;     // [kBlock, bits_ld] keep bits
  int64_t bits_ld;
  int64_t bytes;

  ForwardScratch(int64_t length, int64_t head_size, std::byte* base) {
    Carver carve(base);
    columns = up_to(head_size, kBlock);
    keys = up_to(length, kBlock);
    k = carve.take<uint32_t>(keys * columns / 2);
    v = carve.take<uint32_t>(keys * columns / 2);
    queries = carve.take<uint16_t>(kBlock * columns);
    scores = carve.take<float>(kBlock * kChunkLd);
    p = carve.take<uint16_t>(kBlock * kChunkLd);
    outputs = carve.take<float>(kBlock * columns);
    bits_ld = up_to(length, 64) / 64;
    bits = carve.take<uint64_t>(kBlock * bits_ld);
    bytes = carve.used_bytes();
  }
};

/// A query's softmax over the keys seen so far (Milakov, Gimelshein 2018).
struct RunningSoftmax {
  float largest = -__builtin_inff();  // scaled score
  float sum = 0;                      // of e^(score - largest)
};

/// Takes in the scores x[0..count): p [padded] = e^(scale x - largest), 0 from `count` on and where
/// dropped. Returns the factor by which what was made before shrinks. padded is a multiple of
/// kBlock.
template <bool kDropout>
inline float softmax_chunk(float scale, float* x, int64_t count, const uint64_t* bits, uint16_t* p,
                           RunningSoftmax* running) {
  const int64_t padded = up_to(count, kBlock);
  const float most = row_maximum(x, count, padded) * scale;
  const float largest = most > running->largest ? most : running->largest;
  Floats total = Floats::all(0);
  for (int64_t i = 0; i < padded; i += kBlock) {
    Floats e[2];
#pragma GCC unroll 2
    for (int64_t j = 0; j < 2; ++j) {
      const int64_t at = i + j * kTile;
      e[j] = exp(fma(Floats::load(x + at), Floats::all(scale), Floats::all(-largest)));
      total = total + e[j];
      if constexpr (kDropout) e[j] = keep(run_mask(bits, at), e[j]);
    }
    _mm512_storeu_si512(p + i, narrow(e[0], e[1]));
  }
  const float shrink = running->sum == 0 ? 0 : std::exp(running->largest - largest);
  running->sum = running->sum * shrink + sum(total);
  running->largest = largest;
  return shrink;
}

/// The keys [first, first + count) against the queries of a block: adds to s.outputs.
template <typename Unit>
void forward_chunk(const AttentionCall& call, const ForwardScratch& s, int64_t queries, float scale,
                   int64_t first, int64_t count, RunningSoftmax* running) {
  const int64_t padded = up_to(count, kBlock);
  const int64_t transposed_panel = s.columns / 2 * kTile;
  const int64_t rows = up_to(queries, Unit::kRows);
  multiply<Unit, false>(s.queries, s.columns,
                        {s.k + first / kTile * transposed_panel, transposed_panel},
                        {rows, padded, s.columns}, s.scores, kChunkLd);
  const auto softmax =
      call.dropout.dropped_of_65536 != 0 ? softmax_chunk<true> : softmax_chunk<false>;
  for (int64_t i = 0; i < queries; ++i) {
    const float shrink =
        softmax(scale, s.scores + i * kChunkLd, count, s.bits + i * s.bits_ld + first / 64,
                s.p + i * kChunkLd, running + i);
    if (first == 0 || shrink == 1) continue;
    float* row = s.outputs + i * s.columns;
    for (int64_t c = 0; c < s.columns; c += kTile) {
      (Floats::load(row + c) * Floats::all(shrink)).store(row + c);
    }
  }
  const Panels values{s.v + first / 2 * kTile, s.keys / 2 * kTile};
  const auto add = first == 0 ? multiply<Unit, false> : multiply<Unit, true>;
  add(s.p, kChunkLd, values, {rows, s.columns, padded}, s.outputs, s.columns);
}

template <typename Unit>
void forward(const AttentionCall& call, const AttentionItem& item, std::byte* memory) {
  const Operands<uint16_t> operands{call, item};
  const ForwardScratch s(item.length, call.head_size, memory);
  [[maybe_unused]] const Unit unit;
  pack_transposed(operands.qkv(1), s.keys, s.columns, s.k);
  pack_pairs(operands.qkv(2), s.keys, s.columns, s.v);
  const auto y = operands.in_y<uint16_t>(call.y);
  for (int64_t first = item.query_begin; first < item.query_end; first += kBlock) {
    const int64_t count = least(kBlock, item.query_end - first);
    HeadRows queries = operands.qkv(0);
    queries.at += first * queries.ld;
    queries.count -= first;
    pack_rows(queries, kBlock, s.columns, s.queries);
    for (int64_t i = 0; i < count && call.dropout.dropped_of_65536 != 0; ++i) {
      dropout_mask(call.dropout, operands.element(first + i), item.length, s.bits + i * s.bits_ld);
    }
    RunningSoftmax running[kBlock];
    for (int64_t key = 0; key < item.length; key += kChunk) {
      forward_chunk<Unit>(call, s, count, operands.score_scale(), key,
                          least(kChunk, item.length - key), running);
    }
    for (int64_t i = 0; i < count; ++i) {
      *operands.lse(first + i) = running[i].largest + std::log(running[i].sum);
      write_row(y, first + i, s.outputs + i * s.columns, call.dropout_scale / running[i].sum);
    }
  }
}

struct BackwardScratch {
  int64_t columns;           // head size, padded
  int64_t tokens;            // length, padded
  int64_t ld;                // tokens and kSkew
  uint16_t* k;               // [tokens, columns]
  uint16_t* v;               // the same
  uint16_t* k_transposed;    // [columns, ld]
  uint32_t* q_transposed;    // right operand of k qᵀ
  uint32_t* d_y_transposed;  // right operand of v d_yᵀ
  uint32_t* q_pairs;         // right operand of d_sᵀ q
  uint32_t* d_y_pairs;       // right operand of pᵀ d_y
  float* lse;                // [tokens]
  float* delta;              // [tokens] Σ d_y y
  float* scores;             // [kBlock, ld]: key by query, as the next three
  float* d_p;                // [kBlock, ld]
  uint16_t* p;               // [kBlock, ld]
  uint16_t* d_s;             // [kBlock, ld]
  uint32_t* d_s_pairs;       // right operand of kᵀ d_s: panels of 16 queries, kKeyBlock deep
  float* d_q_transposed;     // [columns, ld]
  float* d_rows;             // [kBlock, columns]: gradients of keys or values
  uint64_t* bits;            // keep bits of a row
  uint32_t* words;           // [length / 32, tokens]: see keep_words
  int64_t bytes;

  BackwardScratch(int64_t length, int64_t head_size, std::byte* base) {
    Carver carve(base);
    columns = up_to(head_size, kBlock);
    tokens = up_to(length, kBlock);
    ld = tokens + kSkew;
    const int64_t words_of_head = tokens * columns / 2;
    k = carve.take<uint16_t>(tokens * columns);
    v = carve.take<uint16_t>(tokens * columns);
    k_transposed = carve.take<uint16_t>(columns * ld);
    q_transposed = carve.take<uint32_t>(words_of_head);
    d_y_transposed = carve.take<uint32_t>(words_of_head);
    q_pairs = carve.take<uint32_t>(words_of_head);
    d_y_pairs = carve.take<uint32_t>(words_of_head);
    lse = carve.take<float>(tokens);
    delta = carve.take<float>(tokens);
    scores = carve.take<float>(kBlock * kChunkLd);
    d_p = carve.take<float>(kBlock * kChunkLd);
    p = carve.take<uint16_t>(kBlock * ld);
    d_s = carve.take<uint16_t>(kBlock * ld);
    d_s_pairs = carve.take<uint32_t>(tokens * kKeyBlock / 2);
    d_q_transposed = carve.take<float>(columns * ld);
    d_rows = carve.take<float>(kBlock * columns);
    bits = carve.take<uint64_t>(up_to(length, 64) / 64);
    words = carve.take<uint32_t>(up_to(length, 32) / 32 * tokens);
    bytes = carve.used_bytes();
  }
};

void pack_backward(const Operands<uint16_t>& operands, const BackwardScratch& s) {
  const auto d_y = operands.in_y<const uint16_t>(operands.call.d_y);
  pack_rows(operands.qkv(1), s.tokens, s.columns, s.k);
  pack_rows(operands.qkv(2), s.tokens, s.columns, s.v);
  // The pairs of the keys are wanted transposed only; they pass through a place that is filled
  // next.
  pack_pairs(operands.qkv(1), s.tokens, s.columns, s.q_pairs);
  transpose_pairs(s.q_pairs, s.tokens, s.columns, s.k_transposed, s.ld);
  pack_pairs(operands.qkv(0), s.tokens, s.columns, s.q_pairs);
  pack_transposed(operands.qkv(0), s.tokens, s.columns, s.q_transposed);
  pack_pairs(d_y, s.tokens, s.columns, s.d_y_pairs);
  pack_transposed(d_y, s.tokens, s.columns, s.d_y_transposed);
  load_statistics(operands, s.tokens, s.lse, s.delta);
  if (operands.call.dropout.dropped_of_65536 != 0) {
    keep_words(operands.call.dropout, operands.element(0), operands.element_step(),
               operands.item.length, s.bits, s.words, s.tokens);
  }
}

/// The queries [first, first + count) of which s.scores and s.d_p hold a chunk.
struct Chunk {
  int64_t first;
  int64_t count;  // a multiple of kBlock
};

/// Two keys, `key` and the next, against a chunk of queries: from scores and d_p (rows `row` and
/// the next) the dropped probabilities and the gradients of the scores. The second key is padding,
/// and its results 0, unless `both`.
template <bool kDropout>
void score_gradients(const BackwardScratch& s, Chunk chunk, float score_scale, float dropout_scale,
                     int64_t key, bool both, int64_t row, uint32_t* pairs) {
  const uint32_t* words = s.words + key / 32 * s.tokens;
  const Mask real[2] = {{0xffff}, {static_cast<__mmask16>(both ? 0xffff : 0)}};
  for (int64_t i = 0; i < chunk.count; i += kTile) {
    const int64_t query = chunk.first + i;
    const __m512 lse = _mm512_loadu_ps(s.lse + query);
    Floats p[2];
    Floats d_s[2];
#pragma GCC unroll 2
    for (int64_t j = 0; j < 2; ++j) {
      const int64_t at = (row + j) * kChunkLd + i;
      const __m512 score = _mm512_loadu_ps(s.scores + at);
      const Floats log_p{_mm512_fmsub_ps(score, _mm512_set1_ps(score_scale), lse)};
      const Floats whole = keep(real[j], exp(log_p));
      Floats d_p = Floats::load(s.d_p + at);
      p[j] = whole;
      if constexpr (kDropout) {
        const Mask mask = bit_mask(words + query, uint32_t{1} << ((key + j) % 32));
        d_p = keep(mask, d_p * Floats::all(dropout_scale));
        p[j] = keep(mask, whole * Floats::all(dropout_scale));
      }
      d_s[j] = whole * (d_p - Floats::load(s.delta + query));
    }
    const __m512i d_s_narrow = narrow(d_s[0], d_s[1]);
    const int64_t at = row * s.ld + query;
    store_halves(narrow(p[0], p[1]), s.p + at, s.p + at + s.ld);
    store_halves(d_s_narrow, s.d_s + at, s.d_s + at + s.ld);
    _mm512_storeu_si512(pairs + query * (kKeyBlock / 2), pair_halves(d_s_narrow));
  }
}

/// Results of padding keys.
void clear_gradients(const BackwardScratch& s, Chunk chunk, int64_t row, uint32_t* pairs) {
  for (int64_t i = chunk.first; i < chunk.first + chunk.count; i += kTile) {
    const int64_t at = row * s.ld + i;
    const __m512i zero = _mm512_setzero_si512();
    store_halves(zero, s.p + at, s.p + at + s.ld);
    store_halves(zero, s.d_s + at, s.d_s + at + s.ld);
    _mm512_storeu_si512(pairs + i * (kKeyBlock / 2), zero);
  }
}

/// The keys [first, first + kBlock) against a chunk of queries: fills their part of s.p, s.d_s and
/// s.d_s_pairs.
template <typename Unit>
void backward_chunk(const Operands<uint16_t>& operands, const BackwardScratch& s, int64_t first,
                    Chunk chunk) {
  const AttentionCall& call = operands.call;
  const int64_t panel = s.columns / 2 * kTile;
  const int64_t offset = chunk.first / kTile * panel;
  const Extent extent{kBlock, chunk.count, s.columns};
  multiply<Unit, false>(s.k + first * s.columns, s.columns, {s.q_transposed + offset, panel},
                        extent, s.scores, kChunkLd);
  multiply<Unit, false>(s.v + first * s.columns, s.columns, {s.d_y_transposed + offset, panel},
                        extent, s.d_p, kChunkLd);
  const auto gradients =
      call.dropout.dropped_of_65536 != 0 ? score_gradients<true> : score_gradients<false>;
  for (int64_t row = 0; row < kBlock; row += 2) {
    const int64_t key = first + row;
    uint32_t* pairs = s.d_s_pairs + key % kKeyBlock / 2 * kTile;
    if (key < operands.item.length) {
      gradients(s, chunk, operands.score_scale(), call.dropout_scale, key,
                key + 1 < operands.item.length, row, pairs);
    } else {
      clear_gradients(s, chunk, row, pairs);
    }
  }
}

/// Everything of the keys [first, first + kBlock): the gradients of keys and values are written,
/// those of scores left in s.d_s_pairs.
template <typename Unit>
void backward_keys(const Operands<uint16_t>& operands, const BackwardScratch& s, int64_t first) {
  for (int64_t query = 0; query < s.tokens; query += kChunk) {
    backward_chunk<Unit>(operands, s, first, {query, least(kChunk, s.tokens - query)});
  }
  const auto write = [&](const uint16_t* left, const uint32_t* right, int64_t part, float scale) {
    multiply<Unit, false>(left, s.ld, {right, s.tokens / 2 * kTile}, {kBlock, s.columns, s.tokens},
                          s.d_rows, s.columns);
    const auto d_rows = operands.d_qkv(part);
    for (int64_t i = 0; i < least(kBlock, operands.item.length - first); ++i) {
      write_row(d_rows, first + i, s.d_rows + i * s.columns, scale);
    }
  };
  write(s.p, s.d_y_pairs, 2, 1);
  write(s.d_s, s.q_pairs, 1, operands.score_scale());
}

/// The query gradient is made transposed, [head size, query]; this turns it back and writes it.
void write_d_q(const Operands<uint16_t>& operands, const BackwardScratch& s) {
  const auto d_q = operands.d_qkv(0);
  for (int64_t row = 0; row < operands.item.length; row += kTile) {
    for (int64_t column = 0; column < operands.call.head_size; column += kTile) {
      Floats x[16];
      for (int64_t i = 0; i < kTile; ++i) {
        x[i] = Floats::load(s.d_q_transposed + (column + i) * s.ld + row) *
               Floats::all(operands.score_scale());
      }
      transpose(x);
      for (int64_t i = 0; i < least(kTile, operands.item.length - row); ++i) {
        d_q.store(row + i, column, x[i]);
      }
    }
  }
}

template <typename Unit>
void backward(const AttentionCall& call, const AttentionItem& item, std::byte* memory) {
  const Operands<uint16_t> operands{call, item};
  const BackwardScratch s(item.length, call.head_size, memory);
  [[maybe_unused]] const Unit unit;
  pack_backward(operands, s);
  for (int64_t first = 0; first < s.tokens; first += kKeyBlock) {
    const int64_t count = least(kKeyBlock, s.tokens - first);
    for (int64_t i = 0; i < count; i += kBlock) backward_keys<Unit>(operands, s, first + i);
    const Panels d_s{s.d_s_pairs, kKeyBlock / 2 * kTile};
    const Extent extent{s.columns, s.tokens, count};
    const auto add = first == 0 ? multiply<Unit, false> : multiply<Unit, true>;
    add(s.k_transposed + first, s.ld, d_s, extent, s.d_q_transposed, s.ld);
  }
  write_d_q(operands, s);
}

int64_t forward_scratch_bytes(int64_t length, int64_t head_size) {
  return ForwardScratch(length, head_size, nullptr).bytes;
}
int64_t backward_scratch_bytes(int64_t length, int64_t head_size) {
  return BackwardScratch(length, head_size, nullptr).bytes;
}

template <typename Unit>
constexpr AttentionKernels kKernels = {forward_scratch_bytes, forward<Unit>, backward_scratch_bytes,
                                       backward<Unit>};

}  // namespace
}  // namespace bertha::ops
