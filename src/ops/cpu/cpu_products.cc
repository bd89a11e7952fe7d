#include "ops/cpu/cpu_products.h"

#include <algorithm>

#include "backend/cpu/cpu_view.h"
#include "backend/cpu/onednn.h"
#include "backend/cpu/thread_scratch.h"
#include "backend/cpu/weight_copies.h"
#include "backend/cpu/weight_gradient.h"
#include "core/error.h"
#include "core/parallel_for.h"
#include "core/profile.h"
#include "ops/cpu/product_kernels.h"

namespace bertha::ops {
namespace {

/// While weights change, each block packs its panels from so many rows on: that takes some 5 of a
/// panel's cycles a row. For inference and for fewer rows, packed copies are kept.
constexpr int64_t kPackingRows = 256;
/// Rows of a block that packs its panels, at most: they stay in the second-level cache.
constexpr int64_t kMostRows = 256;
/// Bytes of the rows of a block that finds its panels packed: they stay in the second-level cache
/// while the panels pass.
constexpr int64_t kRowBytes = 256 * 1024;
/// Multiply-adds that make a block worth its start.
constexpr int64_t kBlockWork = 1 << 19;
/// Tokens of a weight gradient that are packed at a time.
constexpr int64_t kTokensAtOnce = 1024;

static_assert(static_cast<int>(Activation::kNone) == 0 && static_cast<int>(Activation::kGelu) == 1);
static_assert(static_cast<int>(Activation::kTanh) == 2 &&
              static_cast<int>(Activation::kGeluTanh) == 3);
static_assert(static_cast<int>(Activation::kRelu) == 4 && static_cast<int>(Activation::kSilu) == 5);

constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// E is float, or uint16_t for the bits of bf16.
template <typename E>
const ProductKernels<E>& kernels() {
  if constexpr (sizeof(E) == sizeof(float)) {
    static const ProductKernels<float>& best =
        cpu::best_isa() >= cpu::Isa::kAvx512 ? kProductsAvx512F32 : kProductsAvx2F32;
    return best;
  } else {
    return kProductsBf16;
  }
}

template <typename E>
E* elements(const Tensor& tensor) {
  return static_cast<E*>(cpu::address(tensor));
}

template <typename E>
int64_t words_of(int64_t depth) {
  constexpr int64_t kElements = sizeof(uint32_t) / sizeof(E);
  return divide_up(depth, kElements);
}

/// Indices [begin, end).
struct Range {
  int64_t begin;
  int64_t end;
  int64_t size() const { return end - begin; }
};

/// Part `index` of `count` items in parts of `size`.
Range part_of(int64_t index, int64_t size, int64_t count) {
  return {index * size, std::min((index + 1) * size, count)};
}

/// A matrix of results in blocks of rows by panels.
struct Grid {
  int64_t block_rows, block_panels;
  int64_t row_blocks, panel_blocks;

  /// `most_rows` of a block, whole tiles; in all some blocks for each thread.
  static Grid of(int64_t rows, int64_t panels, int64_t most_rows, int64_t tile_rows) {
    const int64_t wanted = kRangesForEachThread * thread_count();
    Grid grid{};
    grid.block_rows = align_up(divide_up(rows, divide_up(rows, most_rows)), tile_rows);
    grid.row_blocks = divide_up(rows, grid.block_rows);
    grid.block_panels = std::max<int64_t>(1, panels / divide_up(wanted, grid.row_blocks));
    grid.panel_blocks = divide_up(panels, grid.block_panels);
    return grid;
  }
  int64_t blocks() const { return row_blocks * panel_blocks; }
};

/// Runs body(rows, panels) on all blocks. `work` is the number of multiply-adds in all of them.
template <typename Body>
void for_each_block(const Grid& grid, int64_t rows, int64_t panels, int64_t work,
                    const Body& body) {
  const int64_t grain = grid.blocks() * kBlockWork / std::max<int64_t>(work, 1);
  parallel_for(grid.blocks(), std::max<int64_t>(grain, 1), [&](int64_t block) {
    body(part_of(block / grid.panel_blocks, grid.block_rows, rows),
         part_of(block % grid.panel_blocks, grid.block_panels, panels));
  });
}

/// y [rows, columns] = activation(left [rows, depth] right + bias), or y += left right.
template <typename E>
struct RowProduct {
  ProductSource<E> left;
  /// The right operand: its rows are the columns of y (forward), or the depth.
  ProductSource<E> weights;
  bool depth_is_inner;
  const uint32_t* packed;  ///< the packed weights, or null
  const float* bias = nullptr;
  Activation activation = Activation::kNone;
  bool adds = false;
  E* y;

  int64_t depth() const { return left.columns; }
  int64_t columns() const { return depth_is_inner ? weights.rows : weights.columns; }
  int64_t panels() const { return divide_up(columns(), kernels<E>().shape.columns); }
  int64_t panel_words() const { return words_of<E>(depth()) * kernels<E>().shape.columns; }
};

template <typename E>
void pack_panel(const RowProduct<E>& product, int64_t panel, uint32_t* to) {
  const int64_t first = panel * kernels<E>().shape.columns;
  ProductSource<E> from = product.weights;
  if (product.depth_is_inner) {
    from.at += first * from.stride;
    from.rows = std::min(from.rows - first, kernels<E>().shape.columns);
    kernels<E>().pack_depth_columns(from, to);
  } else {
    from.at += first;
    from.columns -= first;
    kernels<E>().pack_depth_rows(from, kernels<E>().shape.columns, to);
  }
}

/// A thread's memory for a block.
struct BlockScratch {
  BlockScratch(int64_t panel_words, int64_t left_words, int64_t sum_count) {
    const int64_t panel_bytes = align_up(panel_words * 4, kAlignmentBytes);
    const int64_t left_bytes = align_up(left_words * 4, kAlignmentBytes);
    std::byte* const base = cpu::thread_scratch(panel_bytes + left_bytes + sum_count * 4);
    panel = reinterpret_cast<uint32_t*>(base);
    left = reinterpret_cast<uint32_t*>(base + panel_bytes);
    sums = reinterpret_cast<float*>(base + panel_bytes + left_bytes);
  }
  uint32_t* panel;
  uint32_t* left;
  float* sums;
};

/// Rows of the left operand as words. bf16 rows of odd length are copied: their last element has no
/// partner, and the rows after the first do not begin at a word.
template <typename E>
void set_left(const ProductSource<E>& left, int64_t row, uint32_t* copy, ProductTile& tile) {
  const E* const from = left.at + row * left.stride;
  if constexpr (sizeof(E) == sizeof(uint16_t)) {
    if (left.columns % 2 != 0) {
      tile.left = copy;
      tile.left_stride = words_of<E>(left.columns);
      auto* to = reinterpret_cast<E*>(copy);
      for (int64_t r = 0; r < tile.rows; ++r, to += left.columns + 1) {
        std::copy_n(from + r * left.stride, left.columns, to);
        to[left.columns] = 0;
      }
      return;
    }
  }
  tile.left = reinterpret_cast<const uint32_t*>(from);
  tile.left_stride = left.stride * static_cast<int64_t>(sizeof(E)) / 4;
}

template <typename E>
void multiply_panel(const RowProduct<E>& product, const Range& rows, int64_t panel,
                    const uint32_t* packed, const BlockScratch& scratch) {
  const ProductKernels<E>& k = kernels<E>();
  const int64_t first = panel * k.shape.columns;
  const int64_t columns = product.columns();
  const auto finish = product.adds ? k.add : k.finish[static_cast<size_t>(product.activation)];
  ProductTile tile{};
  tile.panel = {.words = packed, .depth = words_of<E>(product.depth())};
  tile.sums = scratch.sums;
  for (int64_t row = rows.begin; row < rows.end; row += k.shape.rows) {
    tile.rows = std::min(k.shape.rows, rows.end - row);
    set_left(product.left, row, scratch.left, tile);
    k.multiply(tile);
    finish({.sums = tile.sums,
            .rows = tile.rows,
            .columns = std::min(k.shape.columns, columns - first),
            .bias = product.bias == nullptr ? nullptr : product.bias + first,
            .y = product.y + row * columns + first,
            .y_stride = columns});
  }
}

template <typename E>
void multiply_block(const RowProduct<E>& product, const Range& rows, const Range& panels) {
  const ProductShape& shape = kernels<E>().shape;
  const int64_t panel_words = product.panel_words();
  const BlockScratch scratch(product.packed == nullptr ? panel_words : 0,
                             shape.rows * words_of<E>(product.depth()), shape.rows * shape.columns);
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const uint32_t* packed = scratch.panel;
    if (product.packed == nullptr) {
      pack_panel(product, panel, scratch.panel);
    } else {
      packed = product.packed + panel * panel_words;
    }
    multiply_panel(product, rows, panel, packed, scratch);
  }
}

/// The kept copy of the packed weights.
template <typename E>
const uint32_t* packed_copy(cpu::CpuDevice& device, const RowProduct<E>& product) {
  const int64_t words = product.panel_words();
  const cpu::WeightCopies::Key key = {.address = product.weights.at,
                                      .layout = product.depth_is_inner
                                                    ? cpu::WeightLayout::kForward
                                                    : cpu::WeightLayout::kBackwardData,
                                      .rows = product.weights.rows,
                                      .columns = product.weights.columns};
  const auto pack = [&](std::byte* to) {
    const Timed timed(device, "linear, weight layout", [&] {
      return Cost{.bytes = 4 * product.panels() * words +
                           static_cast<int64_t>(sizeof(E)) * key.rows * key.columns};
    });
    parallel_for(product.panels(), 1, [&](int64_t panel) {
      pack_panel(product, panel, reinterpret_cast<uint32_t*>(to) + panel * words);
    });
  };
  return reinterpret_cast<const uint32_t*>(device.weight_copies().get(
      key, 4 * product.panels() * words, device.parameter_version(), pack));
}

template <typename E>
void run(cpu::CpuDevice& device, RowProduct<E> product) {
  const int64_t rows = product.left.rows;
  const int64_t row_bytes = product.depth() * static_cast<int64_t>(sizeof(E));
  int64_t most_rows = kMostRows;
  if (product.packed == nullptr && (rows < kPackingRows || device.expects_inference())) {
    product.packed = packed_copy(device, product);
  }
  if (product.packed != nullptr) most_rows = std::max<int64_t>(kRowBytes / row_bytes, 64);
  const Grid grid = Grid::of(rows, product.panels(), most_rows, kernels<E>().shape.rows);
  for_each_block(grid, rows, product.panels(), rows * product.depth() * product.columns(),
                 [&](const Range& block_rows, const Range& block_panels) {
                   multiply_block(product, block_rows, block_panels);
                 });
}

template <typename E>
ProductSource<E> source_of(const Tensor& matrix) {
  return {.at = elements<const E>(matrix),
          .stride = matrix.dim(1),
          .rows = matrix.dim(0),
          .columns = matrix.dim(1)};
}

template <typename E>
void run_forward(cpu::CpuDevice& device, const Tensor& x, const Tensor& w, const Tensor& b,
                 Activation activation, Out y) {
  RowProduct<E> product = {.left = source_of<E>(x),
                           .weights = {},
                           .depth_is_inner = true,
                           .packed = nullptr,
                           .bias = cpu::data<float>(b),
                           .activation = activation,
                           .y = elements<E>(y.tensor())};
  if (w.shape().rank() == 4) {
    BERTHA_CHECK(w.dim(2) == kernels<E>().shape.columns, "panels of {}", w.dim(2));
    product.packed = elements<const uint32_t>(w);
    product.weights.rows = y.tensor().dim(1);
    product.weights.columns = x.dim(1);
  } else {
    product.weights = source_of<E>(w);
  }
  run<E>(device, product);
}

template <typename E>
void run_backward_data(cpu::CpuDevice& device, const Tensor& d_y, const Tensor& w, bool adds,
                       InOut d_x) {
  run<E>(device, {.left = source_of<E>(d_y),
                  .weights = source_of<E>(w),
                  .depth_is_inner = false,
                  .packed = nullptr,
                  .adds = adds,
                  .y = elements<E>(d_x.tensor())});
}

/// d_w += leftᵀ right. Both operands are packed, because tokens, the depth, are their rows.
template <typename E>
struct GradientProduct {
  ProductSource<E> left;   ///< [tokens, rows of d_w]
  ProductSource<E> right;  ///< [tokens, columns of d_w]
  float* d_w;
  uint32_t* scratch;

  int64_t row_tiles() const { return divide_up(left.columns, kernels<E>().shape.rows); }
  int64_t panels() const { return divide_up(right.columns, kernels<E>().shape.columns); }
  int64_t depth() const { return words_of<E>(left.rows); }
  int64_t tile_words() const { return depth() * kernels<E>().shape.rows; }
  int64_t panel_words() const { return depth() * kernels<E>().shape.columns; }
  uint32_t* tile(int64_t index) const { return scratch + index * tile_words(); }
  uint32_t* panel(int64_t index) const {
    return scratch + align_up(row_tiles() * tile_words(), kAlignmentBytes / 4) +
           index * panel_words();
  }
};

/// Columns [first, …) of a matrix whose rows are the depth.
template <typename E>
ProductSource<E> columns_from(ProductSource<E> from, int64_t first) {
  from.at += first;
  from.columns -= first;
  return from;
}

/// Packs some tiles at a time, as many as a panel is wide: a cache line is read by one thread.
template <typename E>
void pack_operands(const GradientProduct<E>& product) {
  const ProductKernels<E>& k = kernels<E>();
  const int64_t tiles_at_once = std::max<int64_t>(1, k.shape.columns / k.shape.rows);
  const int64_t groups = divide_up(product.row_tiles(), tiles_at_once);
  const int64_t grain = std::max<int64_t>(1, (1 << 15) / (product.left.rows * k.shape.columns + 1));
  parallel_for(groups + product.panels(), grain, [&](int64_t i) {
    if (i >= groups) {
      const int64_t panel = i - groups;
      k.pack_depth_rows(columns_from(product.right, panel * k.shape.columns), k.shape.columns,
                        product.panel(panel));
      return;
    }
    const Range tiles = part_of(i, tiles_at_once, product.row_tiles());
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      k.pack_depth_rows(columns_from(product.left, tile * k.shape.rows), k.shape.rows,
                        product.tile(tile));
    }
  });
}

/// Brings rows of d_w into the caches while the tile before them is multiplied: its rows lie too
/// far apart for the processor to foresee them.
void fetch_ahead(const float* rows, int64_t count, int64_t columns, int64_t stride) {
  constexpr int64_t kLine = 64 / sizeof(float);
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < columns; i += kLine) __builtin_prefetch(rows + row * stride + i, 1);
  }
}

template <typename E>
void multiply_gradient_block(const GradientProduct<E>& product, const Range& tiles,
                             const Range& panels) {
  const ProductKernels<E>& k = kernels<E>();
  const BlockScratch scratch(0, 0, k.shape.rows * k.shape.columns);
  const int64_t rows = product.left.columns;
  const int64_t columns = product.right.columns;
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const int64_t column = panel * k.shape.columns;
    for (int64_t i = tiles.begin; i < tiles.end; ++i) {
      const int64_t row = i * k.shape.rows;
      const ProductTile tile = {.left = product.tile(i),
                                .left_stride = 1,
                                .rows = std::min(k.shape.rows, rows - row),
                                .panel = {.words = product.panel(panel), .depth = product.depth()},
                                .sums = scratch.sums};
      const int64_t next_rows = std::min(k.shape.rows, rows - row - k.shape.rows);
      fetch_ahead(product.d_w + (row + k.shape.rows) * columns + column, next_rows,
                  std::min(k.shape.columns, columns - column), columns);
      k.multiply_packed(tile);
      k.add_to_gradient({.sums = tile.sums,
                         .rows = tile.rows,
                         .columns = std::min(k.shape.columns, columns - column),
                         .bias = nullptr,
                         .y = product.d_w + row * columns + column,
                         .y_stride = columns});
    }
  }
}

template <typename E>
void run_backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w, Out scratch) {
  // Tiles of left operands that stay in the second-level cache.
  constexpr int64_t kTilesOfBlock = 48 / static_cast<int64_t>(sizeof(E));
  const int64_t tokens = x.dim(0);
  for (int64_t begin = 0; begin < tokens; begin += kTokensAtOnce) {
    const int64_t count = std::min(kTokensAtOnce, tokens - begin);
    const GradientProduct<E> product = {
        .left = source_of<E>(d_y.rows(begin, count)),
        .right = source_of<E>(x.rows(begin, count)),
        .d_w = cpu::data<float>(d_w),
        .scratch = reinterpret_cast<uint32_t*>(cpu::data<uint8_t>(scratch))};
    pack_operands(product);
    const int64_t tiles = product.row_tiles();
    const int64_t panels = product.panels();
    const Grid grid = Grid::of(tiles, panels, kTilesOfBlock, 1);
    for_each_block(grid, tiles, panels, count * d_y.dim(1) * x.dim(1),
                   [&](const Range& block_tiles, const Range& block_panels) {
                     multiply_gradient_block(product, block_tiles, block_panels);
                   });
  }
}

template <typename E>
int64_t scratch_bytes(const Tensor& d_y, const Tensor& x) {
  const ProductShape& shape = kernels<E>().shape;
  const int64_t depth = words_of<E>(std::min(kTokensAtOnce, x.dim(0)));
  const int64_t left = depth * align_up(d_y.dim(1), shape.rows);
  const int64_t right = depth * align_up(x.dim(1), shape.columns);
  return 4 * (align_up(left, kAlignmentBytes / 4) + right);
}

bool runs_on_onednn(DType dtype) {
  return dtype == DType::kBF16 && cpu::best_isa() == cpu::Isa::kAmx;
}

cpu::Epilogue epilogue_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return cpu::Epilogue::kNone;
    case Activation::kGelu:
      return cpu::Epilogue::kGelu;
    case Activation::kTanh:
      return cpu::Epilogue::kTanh;
    case Activation::kGeluTanh:
      return cpu::Epilogue::kGeluTanh;
    case Activation::kRelu:
      return cpu::Epilogue::kRelu;
    case Activation::kSilu:
      return cpu::Epilogue::kSilu;
  }
  BERTHA_CHECK(false, "activation {}", static_cast<int>(activation));
}

cpu::WeightGradient amx_gradient(const Tensor& d_y, const Tensor& x, float* d_w) {
  return {.d_y = elements<const uint16_t>(d_y),
          .x = elements<const uint16_t>(x),
          .d_w = d_w,
          .tokens = x.dim(0),
          .rows = d_y.dim(1),
          .columns = x.dim(1)};
}

}  // namespace

bool has_products(DType dtype) {
  return dtype == DType::kF32 ||
         (dtype == DType::kBF16 && cpu::best_isa() >= cpu::Isa::kAvx512Bf16);
}

int64_t product_panel_channels(DType dtype) {
  if (!has_products(dtype) || runs_on_onednn(dtype)) return 0;
  return dtype == DType::kF32 ? kernels<float>().shape.columns : kernels<uint16_t>().shape.columns;
}

void multiply_forward(cpu::CpuDevice& device, const Tensor& x, const Tensor& w, const Tensor& b,
                      Activation activation, Out y) {
  if (runs_on_onednn(x.dtype())) {
    device.products().forward(x, w, b, epilogue_of(activation), y, device.parameter_version());
  } else if (x.dtype() == DType::kF32) {
    run_forward<float>(device, x, w, b, activation, y);
  } else {
    run_forward<uint16_t>(device, x, w, b, activation, y);
  }
}

void multiply_backward_data(cpu::CpuDevice& device, const Tensor& d_y, const Tensor& w, Write write,
                            InOut d_x) {
  const bool adds = write == Write::kAdd;
  if (runs_on_onednn(d_y.dtype())) {
    device.products().backward_data(d_y, w, adds, d_x, device.parameter_version());
  } else if (d_y.dtype() == DType::kF32) {
    run_backward_data<float>(device, d_y, w, adds, d_x);
  } else {
    run_backward_data<uint16_t>(device, d_y, w, adds, d_x);
  }
}

void multiply_backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w, Out scratch) {
  if (runs_on_onednn(x.dtype())) {
    cpu::add_weight_gradient_amx(amx_gradient(d_y, x, cpu::data<float>(d_w)),
                                 cpu::data<uint8_t>(scratch));
  } else if (x.dtype() == DType::kF32) {
    run_backward_weights<float>(d_y, x, d_w, scratch);
  } else {
    run_backward_weights<uint16_t>(d_y, x, d_w, scratch);
  }
}

int64_t weight_gradient_scratch(const Tensor& d_y, const Tensor& x) {
  if (x.dtype() == DType::kF32) return scratch_bytes<float>(d_y, x);
  if (!runs_on_onednn(x.dtype())) return scratch_bytes<uint16_t>(d_y, x);
  return cpu::weight_gradient_scratch_bytes({.d_y = nullptr,
                                             .x = nullptr,
                                             .d_w = nullptr,
                                             .tokens = x.dim(0),
                                             .rows = d_y.dim(1),
                                             .columns = x.dim(1)});
}

}  // namespace bertha::ops
