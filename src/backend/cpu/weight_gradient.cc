#include "backend/cpu/weight_gradient.h"

#include <algorithm>

#include "core/parallel_for.h"

namespace bertha::cpu {
namespace {

constexpr int64_t kBlock = 2 * kTileWidth;
/// Tokens packed at a time, which bounds the scratch memory.
constexpr int64_t kTokensAtOnce = 4096;
/// A part of d_w of this size and the right panels it needs for a while fit the second cache.
constexpr int64_t kMostRows = 256;
constexpr int64_t kMostColumns = 768;
constexpr int64_t kPartsAThread = 4;

int64_t divide_up(int64_t count, int64_t by) {
  return (count + by - 1) / by;
}
/// Panels come in pairs.
int64_t panels_of(int64_t columns) {
  return 2 * divide_up(columns, kBlock);
}
int64_t panel_elements(const WeightGradient& product, int64_t columns) {
  const int64_t tiles = divide_up(std::min(product.tokens, kTokensAtOnce), kTileDepth);
  return panels_of(columns) * tiles * kTileElements;
}

/// d_w in parts of equal size, in rows of `across` parts.
struct Cut {
  int64_t rows, columns;  ///< of a part
  int64_t across;
  int64_t count;
};

Cut cut(const WeightGradient& product) {
  const int64_t columns = std::min(kMostColumns, kBlock * divide_up(product.columns, kBlock));
  const int64_t across = divide_up(product.columns, columns);
  const int64_t wanted = divide_up(kPartsAThread * thread_count(), across);
  const int64_t rows =
      std::clamp(kBlock * divide_up(product.rows, kBlock * wanted), kBlock, kMostRows);
  return {.rows = rows,
          .columns = columns,
          .across = across,
          .count = across * divide_up(product.rows, rows)};
}

void multiply(const WeightGradient& product, const TilePanels& left, const TilePanels& right) {
  const Cut parts = cut(product);
  parallel_for(parts.count, 1, [&](int64_t i) {
    const int64_t row = i / parts.across * parts.rows;
    const int64_t column = i % parts.across * parts.columns;
    const GradientPart part = {
        .row_begin = row,
        .row_end = std::min(row + parts.rows, product.rows),
        .column_begin = column,
        .column_end = std::min(column + parts.columns, product.columns),
    };
    multiply_panels_amx(left, right, part, product.d_w, product.columns);
  });
}

}  // namespace

int64_t weight_gradient_scratch_bytes(const WeightGradient& product) {
  return 2 * (panel_elements(product, product.rows) + panel_elements(product, product.columns));
}

void add_weight_gradient_amx(const WeightGradient& product, void* scratch) {
  auto* const packed = static_cast<uint16_t*>(scratch);
  for (int64_t begin = 0; begin < product.tokens; begin += kTokensAtOnce) {
    const int64_t tokens = std::min(kTokensAtOnce, product.tokens - begin);
    const int64_t tiles = divide_up(tokens, kTileDepth);
    const TilePanels left = {.at = packed, .tiles = tiles};
    const TilePanels right = {.at = packed + panel_elements(product, product.rows), .tiles = tiles};
    const int64_t left_pairs = panels_of(product.rows) / 2;
    const int64_t right_pairs = panels_of(product.columns) / 2;
    parallel_for(left_pairs + right_pairs, 1, [&](int64_t pair) {
      const bool is_left = pair < left_pairs;
      const int64_t first = 2 * (is_left ? pair : pair - left_pairs);
      const int64_t columns = is_left ? product.rows : product.columns;
      pack_panels_amx((is_left ? product.d_y : product.x) + begin * columns, tokens, columns, first,
                      first + 2, is_left, is_left ? left : right);
    });
    multiply(product, left, right);
  }
}

}  // namespace bertha::cpu
