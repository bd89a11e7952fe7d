// Sums of byte products with AVX512-VNNI. A block holds up to 16 vectors of sums in registers,
// which hides the latency of the instruction; with 24 gcc moves operands to and from the stack.

#include <immintrin.h>

#include <array>
#include <utility>

#include "ops/cpu/int8_kernels.h"

namespace bertha::ops {
namespace {

constexpr size_t kSums = 16;     ///< vectors of sums in a block
constexpr int kPanelBytes = 16;  ///< bytes of a panel for one input

inline __m512i broadcast(const uint8_t* from) {
  int32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
  return _mm512_set1_epi32(four);
}

/// sums += four inputs. `quads` point to every fourth row, so that few registers address all.
template <size_t kRows, size_t kPanels>
inline void add_four(const uint8_t* const* quads, int64_t stride, const int8_t* w,
                     int64_t panel_bytes, __m512i (&sums)[kRows][kPanels]) {
  __m512i weights[kPanels];
#pragma GCC unroll 4
  for (size_t p = 0; p < kPanels; ++p)
    weights[p] = _mm512_load_si512(w + static_cast<int64_t>(p) * panel_bytes);
#pragma GCC unroll 16
  for (size_t r = 0; r < kRows; ++r) {
    const __m512i x = broadcast(quads[r / 4] + static_cast<int64_t>(r % 4) * stride);
#pragma GCC unroll 4
    for (size_t p = 0; p < kPanels; ++p)
      sums[r][p] = _mm512_dpbusd_epi32(sums[r][p], x, weights[p]);
  }
}

template <size_t kRows, size_t kPanels>
void multiply_block(const Int8Block& block) {
  constexpr size_t kQuads = (kRows + 3) / 4;
  constexpr int kStep = 16;  // inputs a round
  const int64_t panel_bytes = kPanelBytes * block.depth;
  const uint8_t* quads[kQuads];
  for (size_t q = 0; q < kQuads; ++q)
    quads[q] = block.x + 4 * static_cast<int64_t>(q) * block.depth;
  __m512i sums[kRows][kPanels];
#pragma GCC unroll 16
  for (auto& row : sums) {
#pragma GCC unroll 4
    for (auto& sum : row) sum = _mm512_setzero_si512();
  }
  for (int64_t k = 0; k < block.depth; k += kStep) {
    const int8_t* const w = block.w + kPanelBytes * k;
#pragma GCC unroll 4
    for (int i = 0; i < kStep; i += 4) {
      const uint8_t* at[kQuads];
      for (size_t q = 0; q < kQuads; ++q) at[q] = quads[q] + k + i;
      if (block.ahead != nullptr) _mm_prefetch(block.ahead + kPanelBytes * (k + i), _MM_HINT_T1);
      add_four<kRows, kPanels>(at, block.depth, w + kPanelBytes * i, panel_bytes, sums);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t p = 0; p < kPanels; ++p) {
      _mm512_storeu_si512(block.sums + (r * kPanels + p) * 16, sums[r][p]);
    }
  }
}

using Multiply = void (*)(const Int8Block&);

template <size_t kPanels, size_t... kIndices>
constexpr std::array<Multiply, sizeof...(kIndices)> by_rows(std::index_sequence<kIndices...>) {
  return {multiply_block<kIndices + 1, kPanels>...};
}
template <size_t kPanels>
constexpr auto kByRows = by_rows<kPanels>(std::make_index_sequence<kSums / kPanels>());

void multiply(const Int8Block& block) {
  const auto row = static_cast<size_t>(block.rows - 1);
  switch (block.panels) {
    case 1:
      return kByRows<1>[row](block);
    case 2:
      return kByRows<2>[row](block);
    case 3:
      return kByRows<3>[row](block);
    default:
      return kByRows<4>[row](block);
  }
}

Int8BlockShape shape(int64_t rows) {
  if (rows <= 4) return {4, 4};
  if (rows > 8 && rows <= int64_t{kSums}) return {kSums, 1};
  return {8, 2};
}

}  // namespace

const Int8Products kInt8ProductsVnni = {shape, multiply};

}  // namespace bertha::ops
