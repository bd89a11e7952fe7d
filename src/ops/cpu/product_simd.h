#pragma once

// The kernels of product_kernels.h, compiled once for each instruction set.

#include "ops/cpu/activation_functions.h"
#include "ops/cpu/product_kernels.h"
#include "ops/cpu/transpose.h"
#include "ops/cpu/vector_math.h"

namespace bertha::ops {
namespace {

constexpr int64_t kWidth = Floats::kWidth;

/// Tiles fill the registers: 8 rows by 3 vectors of 32 registers, 6 rows by 2 vectors of 16.
#if defined(__AVX512F__)
constexpr int64_t kTileRows = 8;
constexpr int64_t kVectors = 3;
#else
constexpr int64_t kTileRows = 6;
constexpr int64_t kVectors = 2;
#endif
constexpr int64_t kPanelColumns = kVectors * kWidth;

/// Words travel in vectors of floats: moves and shuffles leave them as they are.
inline Floats load_words(const uint32_t* from) {
  return Floats::load(reinterpret_cast<const float*>(from));
}
inline void store_words(Floats words, uint32_t* to, int64_t count) {
  auto* const at = reinterpret_cast<float*>(to);
  count == kWidth ? words.store(at) : words.store(at, count);
}
inline Floats broadcast_word(const uint32_t* from) {
  float word;
  __builtin_memcpy(&word, from, sizeof(word));
  return Floats::all(word);
}

/// How the words of an operand are made and multiplied.
template <typename E>
struct Words;

template <>
struct Words<float> {
  static constexpr int64_t kElements = 1;  ///< of a word

  static Floats add_product(Floats sum, Floats left, Floats right) { return fma(left, right, sum); }
  /// The words of `lanes` columns at `row`.
  static Floats across(const ProductSource<float>& from, int64_t row, int64_t column,
                       int64_t lanes) {
    const float* at = from.at + row * from.stride + column;
    return lanes == kWidth ? Floats::load(at) : Floats::load(at, lanes);
  }
  /// `lanes` words of a row, from `word` on.
  static Floats along(const ProductSource<float>& from, int64_t row, int64_t word, int64_t lanes) {
    return across(from, row, word, lanes);
  }
};

#if defined(__AVX512BF16__)
template <>
struct Words<uint16_t> {
  static constexpr int64_t kElements = 2;

  static Floats add_product(Floats sum, Floats left, Floats right) {
    return {_mm512_dpbf16_ps(sum.v, bits_of(left), bits_of(right))};
  }
  static Floats across(const ProductSource<uint16_t>& from, int64_t row, int64_t column,
                       int64_t lanes) {
    const uint16_t* at = from.at + row * from.stride + column;
    const auto mask = static_cast<__mmask16>((uint32_t{1} << lanes) - 1);
    const __m512i low = wide(at, mask);
    const __m512i high =
        row + 1 < from.rows ? wide(at + from.stride, mask) : _mm512_setzero_si512();
    return {_mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)))};
  }
  static Floats along(const ProductSource<uint16_t>& from, int64_t row, int64_t word,
                      int64_t lanes) {
    const uint16_t* at = from.at + row * from.stride + 2 * word;
    const int64_t rest = from.columns - 2 * word;
    const int64_t elements = rest < 2 * lanes ? rest : 2 * lanes;
    const auto mask = static_cast<__mmask32>((uint64_t{1} << elements) - 1);
    return {_mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, at))};
  }

 private:
  static __m512bh bits_of(Floats x) { return reinterpret_cast<__m512bh>(x.v); }
  static __m512i wide(const uint16_t* from, __mmask16 mask) {
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
  }
};
#endif

template <typename E>
int64_t words_of(int64_t elements) {
  return (elements + Words<E>::kElements - 1) / Words<E>::kElements;
}

template <typename E>
void pack_depth_rows(const ProductSource<E>& from, int64_t width, uint32_t* to) {
  for (int64_t row = 0; row < from.rows; row += Words<E>::kElements, to += width) {
    for (int64_t column = 0; column < width; column += kWidth) {
      const int64_t room = width - column < kWidth ? width - column : kWidth;
      const int64_t rest = from.columns - column;
      const int64_t lanes = rest < room ? rest : room;
      const Floats words =
          lanes > 0 ? Words<E>::across(from, row, column, lanes) : Floats::all(0.0F);
      store_words(words, to + column, room);
    }
  }
}

template <typename E>
void pack_depth_columns(const ProductSource<E>& from, uint32_t* to) {
  const int64_t depth = words_of<E>(from.columns);
  for (int64_t word = 0; word < depth; word += kWidth) {
    const int64_t words = depth - word < kWidth ? depth - word : kWidth;
    for (int64_t column = 0; column < kPanelColumns; column += kWidth) {
      Floats square[size_t{kWidth}];
      for (int64_t i = 0; i < kWidth; ++i) {
        square[i] = column + i < from.rows ? Words<E>::along(from, column + i, word, words)
                                           : Floats::all(0.0F);
      }
      transpose(square);
      for (int64_t i = 0; i < words; ++i) {
        store_words(square[i], to + (word + i) * kPanelColumns + column, kWidth);
      }
    }
  }
}

/// Left words lie `row_step` from row to row and `depth_step` along the depth.
template <typename E, int64_t kRows>
inline void multiply_rows(const ProductTile& tile, int64_t row_step, int64_t depth_step) {
  Floats sums[size_t{kRows}][size_t{kVectors}];
#pragma GCC unroll 8
  for (auto& row : sums) {
#pragma GCC unroll 3
    for (Floats& sum : row) sum = Floats::all(0.0F);
  }
  const uint32_t* right = tile.panel.words;
  const uint32_t* upper = tile.left;
  const uint32_t* lower = upper + 4 * row_step;
  for (int64_t d = 0; d < tile.panel.depth; ++d) {
    Floats panel[size_t{kVectors}];
#pragma GCC unroll 3
    for (int64_t v = 0; v < kVectors; ++v) panel[v] = load_words(right + v * kWidth);
#pragma GCC unroll 8
    for (int64_t r = 0; r < kRows; ++r) {
      const Floats left = broadcast_word(r < 4 ? upper + r * row_step : lower + (r - 4) * row_step);
#pragma GCC unroll 3
      for (int64_t v = 0; v < kVectors; ++v) {
        sums[r][v] = Words<E>::add_product(sums[r][v], left, panel[v]);
      }
    }
    right += kPanelColumns;
    upper += depth_step;
    lower += depth_step;
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 3
    for (int64_t v = 0; v < kVectors; ++v) {
      sums[r][v].store(tile.sums + r * kPanelColumns + v * kWidth);
    }
  }
}

/// The kernel for exactly tile.rows rows.
template <typename E, bool kPacked, int64_t kRows = kTileRows>
void multiply(const ProductTile& tile) {
  if constexpr (kRows > 1) {
    if (tile.rows < kRows) return multiply<E, kPacked, kRows - 1>(tile);
  }
  if constexpr (kPacked) {
    multiply_rows<E, kRows>(tile, 1, kTileRows);
  } else {
    multiply_rows<E, kRows>(tile, tile.left_stride, 1);
  }
}

/// Calls body(sums, y, column, lanes) for the vectors of a result.
template <typename E, typename Body>
void for_vectors(const ProductResult<E>& result, const Body& body) {
  for (int64_t r = 0; r < result.rows; ++r) {
    for (int64_t column = 0; column < result.columns; column += kWidth) {
      const int64_t rest = result.columns - column;
      body(Floats::load(result.sums + r * kPanelColumns + column),
           result.y + r * result.y_stride + column, column, rest < kWidth ? rest : kWidth);
    }
  }
}

template <typename E>
Floats load_lanes(const E* from, int64_t lanes) {
  return lanes == kWidth ? Floats::load(from) : Floats::load(from, lanes);
}
template <typename E>
void store_lanes(Floats value, E* to, int64_t lanes) {
  lanes == kWidth ? value.store(to) : value.store(to, lanes);
}

#if defined(__AVX512BF16__)
/// Rounded by one instruction, which takes numbers below 2^-126 for 0.
inline void store_lanes(Floats value, uint16_t* to, int64_t lanes) {
  const auto mask = static_cast<__mmask16>((uint32_t{1} << lanes) - 1);
  _mm256_mask_storeu_epi16(to, mask, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value.v)));
}
#endif

template <typename E, typename Activation>
void finish(const ProductResult<E>& result) {
  for_vectors(result, [&](Floats sum, E* y, int64_t column, int64_t lanes) {
    if (result.bias != nullptr) sum = sum + load_lanes(result.bias + column, lanes);
    store_lanes(Activation::of(sum), y, lanes);
  });
}

template <typename E>
void add(const ProductResult<E>& result) {
  for_vectors(result, [&](Floats sum, E* y, int64_t, int64_t lanes) {
    store_lanes(load_lanes(y, lanes) + sum, y, lanes);
  });
}

template <typename E>
constexpr ProductKernels<E> kProductKernels = {
    .shape = {kTileRows, kPanelColumns},
    .pack_depth_rows = pack_depth_rows<E>,
    .pack_depth_columns = pack_depth_columns<E>,
    .multiply = multiply<E, false>,
    .multiply_packed = multiply<E, true>,
    .finish = {finish<E, Identity>, finish<E, GeluExact>, finish<E, Tanh>, finish<E, GeluTanh>,
               finish<E, Relu>, finish<E, Silu>},
    .add = add<E>,
    .add_to_gradient = add<float>};

}  // namespace
}  // namespace bertha::ops
