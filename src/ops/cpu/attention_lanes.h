#pragma once

// What the attention kernels of every instruction set share: dropout bits as lane masks, a carver
// of scratch memory, access to the operands. As vector_math.h, for files built for one instruction
// set only.

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "ops/cpu/attention_kernels.h"
#include "ops/cpu/transpose.h"
#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

#if defined(__AVX512F__)

/// Lanes whose bit, of the 16 from `first` (a multiple of 16) on, is set.
inline Mask run_mask(const uint64_t* bits, int64_t first) {
  return {static_cast<__mmask16>(bits[first / 64] >> (first % 64))};
}
/// Lanes whose word of words[0..16) has the bit set.
inline Mask bit_mask(const uint32_t* words, uint32_t bit) {
  return {
      _mm512_test_epi32_mask(_mm512_loadu_si512(words), _mm512_set1_epi32(static_cast<int>(bit)))};
}
/// a where the mask holds, else 0.
inline Floats keep(Mask mask, Floats a) {
  return {_mm512_maskz_mov_ps(mask.bits, a.v)};
}

#else

inline Mask run_mask(const uint64_t* bits, int64_t first) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i byte = _mm256_set1_epi32(static_cast<int>(bits[first / 64] >> (first % 64)));
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(byte, bit), bit))};
}
inline Mask bit_mask(const uint32_t* words, uint32_t bit) {
  const __m256i wanted = _mm256_set1_epi32(static_cast<int>(bit));
  const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(word, wanted), wanted))};
}
inline Floats keep(Mask mask, Floats a) {
  return {_mm256_and_ps(mask.bits, a.v)};
}

#endif

constexpr int64_t kWidth = Floats::kWidth;

constexpr int64_t up_to(int64_t count, int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}
constexpr int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/// Gives out pieces of one block of memory; without a block it only measures.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  template <typename T>
  T* take(int64_t count) {
    std::byte* piece = base_ == nullptr ? nullptr : base_ + used_bytes_;
    used_bytes_ += up_to(count * static_cast<int64_t>(sizeof(T)), 64);
    return reinterpret_cast<T*>(piece);
  }
  int64_t used_bytes() const { return used_bytes_; }

 private:
  std::byte* base_;
  int64_t used_bytes_ = 0;
};

/// Fills to[key / 32 * ld + query] with the keep bits of keys key / 32 * 32 and on, for all queries
/// of the item; `bits` holds the bits of one query, (length + 63) / 64 words.
inline void keep_words(const DropoutStream& dropout, int64_t first, int64_t step, int64_t length,
                       uint64_t* bits, uint32_t* to, int64_t ld) {
  for (int64_t query = 0; query < length; ++query) {
    dropout_mask(dropout, first + query * step, length, bits);
    for (int64_t word = 0; word * 32 < length; ++word) {
      to[word * ld + query] = static_cast<uint32_t>(bits[word / 2] >> (word % 2 * 32));
    }
  }
}

/// The largest of x[0..count); sets x[count..padded) to -infinity, whose exponential is 0.
inline float row_maximum(float* x, int64_t count, int64_t padded) {
  const Floats none = Floats::all(-__builtin_inff());
  for (int64_t i = count; i < padded; ++i) x[i] = -__builtin_inff();
  Floats most0 = none;
  Floats most1 = none;
  int64_t i = 0;
  for (; i + 2 * kWidth <= padded; i += 2 * kWidth) {
    most0 = max(most0, Floats::load(x + i));
    most1 = max(most1, Floats::load(x + i + kWidth));
  }
  for (; i < padded; i += kWidth) most0 = max(most0, Floats::load(x + i));
  return largest(max(most0, most1));
}

/// A head's rows of one operand in memory.
template <typename T>
struct Rows {
  T* at;
  int64_t ld;
  int64_t count;
  int64_t size;

  Floats load(int64_t row, int64_t column) const {
    if (row >= count || column >= size) return Floats::all(0);
    const T* from = at + row * ld + column;
    return column + kWidth <= size ? Floats::load(from) : Floats::load(from, size - column);
  }
  void store(int64_t row, int64_t column, Floats value) const {
    if (column >= size) return;
    T* to = at + row * ld + column;
    if (column + kWidth <= size) {
      value.store(to);
    } else {
      value.store(to, size - column);
    }
  }
};

/// Row `row` = scale * from, rounded.
template <typename T>
inline void write_row(const Rows<T>& rows, int64_t row, const float* from, float scale) {
  for (int64_t column = 0; column < rows.size; column += kWidth) {
    rows.store(row, column, Floats::load(from + column) * Floats::all(scale));
  }
}

/// Where an item's operands lie in the tensors of the call.
template <typename T>
struct Operands {
  const AttentionCall& call;
  const AttentionItem& item;

  int64_t hidden() const { return call.heads * call.head_size; }
  /// part 0, 1, 2: query, key, value.
  template <typename Element, typename Base>
  Rows<Element> in_qkv(Base* base, int64_t part) const {
    return {static_cast<Element*>(base) + item.row * 3 * hidden() + part * hidden() +
                item.head * call.head_size,
            3 * hidden(), item.length, call.head_size};
  }
  Rows<const T> qkv(int64_t part) const { return in_qkv<const T>(call.qkv, part); }
  Rows<T> d_qkv(int64_t part) const { return in_qkv<T>(call.d_qkv, part); }
  template <typename Element, typename Base>
  Rows<Element> in_y(Base* base) const {
    return {static_cast<Element*>(base) + item.row * hidden() + item.head * call.head_size,
            hidden(), item.length, call.head_size};
  }
  float* lse(int64_t query) const { return call.lse + (item.row + query) * call.heads + item.head; }
  /// Dropout element of a query's first key, and how many lie between two queries.
  int64_t element(int64_t query) const {
    return ((item.row + query) * call.heads + item.head) * call.max_length;
  }
  int64_t element_step() const { return call.heads * call.max_length; }
  float score_scale() const { return 1.0F / std::sqrt(static_cast<float>(call.head_size)); }
};

/// Per query: lse, infinite in the padding so that probabilities there are 0, and
/// delta = Σ_d d_y y = Σ_key p d_p.
template <typename T>
inline void load_statistics(const Operands<T>& operands, int64_t padded, float* lse, float* delta) {
  const auto y = operands.template in_y<const T>(operands.call.y);
  const auto d_y = operands.template in_y<const T>(operands.call.d_y);
  for (int64_t i = 0; i < operands.item.length; ++i) {
    lse[i] = *operands.lse(i);
    Floats total = Floats::all(0);
    for (int64_t c = 0; c < y.size; c += kWidth) total = fma(y.load(i, c), d_y.load(i, c), total);
    delta[i] = sum(total);
  }
  for (int64_t i = operands.item.length; i < padded; ++i) {
    lse[i] = __builtin_inff();
    delta[i] = 0;
  }
}

}  // namespace
}  // namespace bertha::ops
