#pragma once

// The weight gradient d_w += d_yᵀ x in bf16 on AMX tiles. Tokens are the depth of this product and
// the outermost dimension of both operands, where the tile unit wants them innermost: both are
// packed into tiles by vector shuffles, then multiplied block by block.

#include <cstdint>

namespace bertha::cpu {

/// d_y [tokens, rows], x [tokens, columns], both bf16; d_w f32 [rows, columns].
struct WeightGradient {
  const uint16_t* d_y;
  const uint16_t* x;
  float* d_w;
  int64_t tokens;
  int64_t rows;
  int64_t columns;
};

/// Bytes that add_weight_gradient_amx packs into.
int64_t weight_gradient_scratch_bytes(const WeightGradient& product);
/// d_w += d_yᵀ x on all threads; equal bits for any number of them. `scratch` is aligned to 64
/// bytes. For processors with AMX.
void add_weight_gradient_amx(const WeightGradient& product, void* scratch);

/// Elements of one tile: 16 rows of 32 of the left operand, 32 by 16 of the right one.
inline constexpr int64_t kTileElements = 512;
inline constexpr int64_t kTileDepth = 32;  ///< tokens of a tile
inline constexpr int64_t kTileWidth = 16;  ///< rows or columns of d_w

/// Tiles of tokens by columns: panel p holds columns [16 p, 16 p + 16), tile after tile along the
/// tokens. What lies outside the matrix is zero.
struct TilePanels {
  uint16_t* at;
  int64_t tiles;  ///< of a panel
};

/// Packs the columns of panels [first, last), an even number, from a matrix [tokens, columns]:
/// as the left operand of a product (`left`: the transpose) or as the right one.
void pack_panels_amx(const uint16_t* from, int64_t tokens, int64_t columns, int64_t first,
                     int64_t last, bool left, const TilePanels& to);

/// A part of d_w, in elements; its beginnings are multiples of 32.
struct GradientPart {
  int64_t row_begin, row_end;
  int64_t column_begin, column_end;
};
/// d_w [rows, columns] += left right in that part.
void multiply_panels_amx(const TilePanels& left, const TilePanels& right, const GradientPart& part,
                         float* d_w, int64_t columns);

}  // namespace bertha::cpu
