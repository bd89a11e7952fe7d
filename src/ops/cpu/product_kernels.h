#pragma once

// The innermost loops of matrix products: a tile of rows by one panel of columns, kept in registers
// while the depth of the product passes by. Operands are words of 32 bits: one f32, or two bf16
// that follow each other along the depth. Every sum is one chain along the depth, in order, so it
// depends neither on the tile, nor on how a product is cut into blocks, nor on the other rows.

#include <cstdint>

namespace bertha::ops {

/// A right operand: for each word of the depth, the words of `columns` columns (ProductShape).
struct ProductPanel {
  const uint32_t* words;  ///< [depth words][panel columns], aligned to 64 bytes
  int64_t depth;          ///< words
};

/// sums [rows, panel columns] = left times panel.
struct ProductTile {
  const uint32_t* left;
  int64_t left_stride;  ///< words from row to row; not used for packed rows
  int64_t rows;
  ProductPanel panel;
  float* sums;  ///< aligned to 64 bytes
};

/// What becomes of the sums of a tile: y = activation(sums + bias), or y += sums.
template <typename E>
struct ProductResult {
  const float* sums;  ///< [rows, panel columns]
  int64_t rows;
  int64_t columns;    ///< up to those of a panel
  const float* bias;  ///< [columns], or null: 0
  E* y;
  int64_t y_stride;  ///< elements from row to row
};

/// A matrix that is packed into words, in elements.
template <typename E>
struct ProductSource {
  const E* at;
  int64_t stride;  ///< from row to row
  int64_t rows;
  int64_t columns;
};

/// Rows of a tile and columns of a panel.
struct ProductShape {
  int64_t rows;
  int64_t columns;
};

/// E is float, or uint16_t for the bits of bf16.
template <typename E>
struct ProductKernels {
  ProductShape shape;
  /// Packs a matrix whose rows are the depth: [words of depth][width]. Columns that it lacks are 0.
  void (*pack_depth_rows)(const ProductSource<E>& from, int64_t width, uint32_t* to);
  /// Packs a matrix whose columns are the depth into a panel. Rows that it lacks are 0.
  void (*pack_depth_columns)(const ProductSource<E>& from, uint32_t* to);
  /// `left` is rows of words, each along the depth.
  void (*multiply)(const ProductTile& tile);
  /// `left` is packed by pack_depth_rows, shape.rows wide.
  void (*multiply_packed)(const ProductTile& tile);
  /// By the number of ops::Activation.
  void (*finish[6])(const ProductResult<E>& result);
  void (*add)(const ProductResult<E>& result);
  /// The same for weight gradients, which are f32 whatever the operands are.
  void (*add_to_gradient)(const ProductResult<float>& result);
};

extern const ProductKernels<float> kProductsAvx2F32;
extern const ProductKernels<float> kProductsAvx512F32;
extern const ProductKernels<uint16_t> kProductsBf16;  ///< AVX512-BF16

}  // namespace bertha::ops
