#include "backend/cpu/amx_tiles.h"
#include "backend/cpu/weight_gradient.h"

namespace bertha::cpu {
namespace {

constexpr int64_t kBlock = 2 * kTileWidth;  // four tiles of sums, 32 by 32
/// Tiles along the tokens between visits of the sums: those of two left panels stay in the first
/// cache while all right panels pass by.
constexpr int64_t kTilesAtOnce = 16;

/// Words of the 16 lower halves of a and the 16 of b: (a0, b0), (a1, b1), …
inline __m512i pair_halves(__m512i ab) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, ab);
}

/// Rows and columns of 16 by 16 words change places: by pairs, by fours, then whole 128-bit lanes.
inline void transpose_words(__m512i (&x)[16]) {
  __m512i y[16];
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  // x[4 g + c] holds in lane l the column 4 l + c of the rows 4 g to 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512i low_even = _mm512_shuffle_i32x4(x[c], x[4 + c], 0x88);
    const __m512i low_odd = _mm512_shuffle_i32x4(x[c], x[4 + c], 0xDD);
    const __m512i high_even = _mm512_shuffle_i32x4(x[8 + c], x[12 + c], 0x88);
    const __m512i high_odd = _mm512_shuffle_i32x4(x[8 + c], x[12 + c], 0xDD);
    y[c] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
    y[8 + c] = _mm512_shuffle_i32x4(low_even, high_even, 0xDD);
    y[4 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
    y[12 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xDD);
  }
  for (int i = 0; i < 16; ++i) x[i] = y[i];
}

template <bool kLeft>
inline void store_tile(__m512i (&words)[16], uint16_t* to) {
  if constexpr (kLeft) transpose_words(words);
  for (int i = 0; i < 16; ++i) _mm512_store_si512(to + 32 * i, words[i]);
}

/// The tiles of 32 tokens from `token` on and 32 columns from `column` on.
template <bool kLeft>
inline void pack_two(const uint16_t* from, int64_t tokens, int64_t columns, int64_t token,
                     int64_t column, uint16_t* one, uint16_t* other) {
  const int64_t count = columns - column < kBlock ? columns - column : kBlock;
  const auto mask = static_cast<__mmask32>(count <= 0 ? 0 : (uint64_t{1} << count) - 1);
  const auto row = [&](int64_t t) {
    if (t >= tokens) return _mm512_setzero_si512();
    return _mm512_maskz_loadu_epi16(mask, from + t * columns + column);
  };
  __m512i low[16];
  __m512i high[16];
  for (int64_t i = 0; i < 16; ++i) {
    const __m512i a = row(token + 2 * i);
    const __m512i b = row(token + 2 * i + 1);
    low[i] = pair_halves(_mm512_shuffle_i64x2(a, b, 0x44));
    high[i] = pair_halves(_mm512_shuffle_i64x2(a, b, 0xEE));
  }
  store_tile<kLeft>(low, one);
  store_tile<kLeft>(high, other);
}

template <bool kLeft>
void pack(const uint16_t* from, int64_t tokens, int64_t columns, int64_t first, int64_t last,
          const TilePanels& to) {
  const int64_t panel = to.tiles * kTileElements;
  for (int64_t p = first; p < last; p += 2) {
    for (int64_t tile = 0; tile < to.tiles; ++tile) {
      uint16_t* const at = to.at + p * panel + tile * kTileElements;
      pack_two<kLeft>(from, tokens, columns, tile * kTileDepth, p * kTileWidth, at, at + panel);
    }
  }
}

/// c [32,32] += two left panels times two right ones over `tiles` tiles.
inline void tile_block(const uint16_t* a, const uint16_t* b, int64_t a_panel, int64_t b_panel,
                       int64_t tiles, float* c, int64_t ldc) {
  const int64_t c_bytes = ldc * 4;
  memory_barrier();
  _tile_loadd(0, c, c_bytes);
  _tile_loadd(1, c + kTileWidth, c_bytes);
  _tile_loadd(2, c + kTileWidth * ldc, c_bytes);
  _tile_loadd(3, c + kTileWidth * ldc + kTileWidth, c_bytes);
  for (int64_t k = 0; k < tiles * kTileElements; k += kTileElements) {
    _tile_loadd(6, b + k, 64);
    _tile_loadd(4, a + k, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + b_panel + k, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + a_panel + k, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + kTileWidth, c_bytes);
  _tile_stored(2, c + kTileWidth * ldc, c_bytes);
  _tile_stored(3, c + kTileWidth * ldc + kTileWidth, c_bytes);
  memory_barrier();
}

/// The same at the edge of d_w, where only `rows` by `columns` sums exist.
void edge_block(const uint16_t* a, const uint16_t* b, int64_t a_panel, int64_t b_panel,
                int64_t tiles, float* c, int64_t ldc, int64_t rows, int64_t columns) {
  alignas(64) float whole[kBlock * kBlock] = {};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) whole[r * kBlock + i] = c[r * ldc + i];
  }
  tile_block(a, b, a_panel, b_panel, tiles, whole, kBlock);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) c[r * ldc + i] = whole[r * kBlock + i];
  }
}

/// Rows [row, row + 32) of the part, `tiles` tiles from `tile` on.
void multiply_rows(const TilePanels& left, const TilePanels& right, const GradientPart& part,
                   int64_t row, int64_t tile, int64_t tiles, float* d_w, int64_t ldc) {
  const int64_t a_panel = left.tiles * kTileElements;
  const int64_t b_panel = right.tiles * kTileElements;
  const uint16_t* a = left.at + row / kTileWidth * a_panel + tile * kTileElements;
  for (int64_t column = part.column_begin; column < part.column_end; column += kBlock) {
    const uint16_t* b = right.at + column / kTileWidth * b_panel + tile * kTileElements;
    float* c = d_w + row * ldc + column;
    const int64_t rows = part.row_end - row;
    const int64_t columns = part.column_end - column;
    if (rows >= kBlock && columns >= kBlock) {
      tile_block(a, b, a_panel, b_panel, tiles, c, ldc);
    } else {
      edge_block(a, b, a_panel, b_panel, tiles, c, ldc, rows < kBlock ? rows : kBlock,
                 columns < kBlock ? columns : kBlock);
    }
  }
}

}  // namespace

void pack_panels_amx(const uint16_t* from, int64_t tokens, int64_t columns, int64_t first,
                     int64_t last, bool left, const TilePanels& to) {
  (left ? pack<true> : pack<false>)(from, tokens, columns, first, last, to);
}

void multiply_panels_amx(const TilePanels& left, const TilePanels& right, const GradientPart& part,
                         float* d_w, int64_t columns) {
  const TileUnit unit;
  for (int64_t tile = 0; tile < left.tiles; tile += kTilesAtOnce) {
    const int64_t rest = left.tiles - tile;
    const int64_t tiles = rest < kTilesAtOnce ? rest : kTilesAtOnce;
    for (int64_t row = part.row_begin; row < part.row_end; row += kBlock) {
      multiply_rows(left, right, part, row, tile, tiles, d_w, columns);
    }
  }
}

}  // namespace bertha::cpu
