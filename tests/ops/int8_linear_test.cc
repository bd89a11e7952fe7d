#include "ops/int8_linear.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

#include "core/thread_pool.h"
#include "ops/cpu/int8_linear_cpu.h"
#include "ops/cpu/int8_tiles.h"
#include "ops/int8_linear_ref.h"
#include "support/compare.h"
#include "workbench.h"

namespace bertha::ops {
namespace {

using test::expect_each_close;
using test::Workbench;

std::vector<float> random_floats(int64_t count, DType dtype, uint64_t stream, double range = 1) {
  const std::vector<double> made = Workbench::random(count, dtype, stream, range);
  return {made.begin(), made.end()};
}

/// Integers of [-127, 127], the ends among them.
std::vector<int8_t> random_integers(int64_t count, uint64_t stream) {
  std::vector<int8_t> integers;
  for (const float value : random_floats(count, DType::kF32, stream, 127.9)) {
    integers.push_back(static_cast<int8_t>(value));
  }
  integers.front() = 127;
  integers.back() = -127;
  return integers;
}

struct PackedWeights {
  std::vector<int8_t> integers;  // [N,K]
  std::vector<int8_t> packed;
  std::vector<int32_t> sums;

  PackedWeights(int64_t channels, int64_t inputs, uint64_t stream)
      : integers(random_integers(channels * inputs, stream)),
        packed(static_cast<size_t>(int8_packed_shape(channels, inputs).size())),
        sums(static_cast<size_t>(channels)) {
    pack_int8(integers, channels, packed, sums);
  }
};

TEST(Int8Weights, IntegersAreWithinHalfAStepOfTheirWeights) {
  constexpr int64_t kChannels = 16;
  const std::vector<float> w = random_floats(kChannels * 70, DType::kF32, 1, 0.3);
  std::vector<int8_t> integers(w.size());
  std::vector<float> scales(kChannels);
  ASSERT_EQ(quantize_channels(w, {.integers = integers, .scales = scales}), -1);
  std::vector<float> again(w.size());
  dequantize_channels(integers, scales, again);
  for (size_t i = 0; i < w.size(); ++i) {
    ASSERT_LE(std::abs(again[i] - w[i]), 0.5001F * scales[i / 70]) << i;
  }
  for (size_t n = 0; n < kChannels; ++n) {
    const auto row = std::span(integers).subspan(n * 70, 70);
    const auto largest = std::ranges::max(row, {}, [](int8_t q) { return std::abs(int{q}); });
    EXPECT_EQ(std::abs(int{largest}), 127) << "channel " << n;
  }
}

TEST(Int8Weights, ChannelOfZerosKeepsAPositiveScale) {
  const std::vector<float> w(32, 0.0F);
  std::vector<int8_t> integers(w.size(), 1);
  std::vector<float> scales(2);
  ASSERT_EQ(quantize_channels(w, {.integers = integers, .scales = scales}), -1);
  EXPECT_EQ(scales, std::vector<float>({1, 1}));
  EXPECT_EQ(integers, std::vector<int8_t>(32, 0));
}

TEST(Int8Weights, FirstChannelThatIsNotFiniteIsNamed) {
  std::vector<float> w(64, 1.0F);
  w[2 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  w[3 * 16] = std::numeric_limits<float>::infinity();
  std::vector<int8_t> integers(w.size());
  std::vector<float> scales(4);
  EXPECT_EQ(quantize_channels(w, {.integers = integers, .scales = scales}), 2);
}

TEST(Int8Weights, UnpackingGivesThePackedIntegers) {
  for (const int64_t inputs : {16, 48, 64, 144}) {
    const PackedWeights w(48, inputs, 3);
    std::vector<int8_t> again(w.integers.size());
    unpack_int8(w.packed, 48, again);
    EXPECT_EQ(again, w.integers) << inputs;
    int32_t first = 0;
    for (int64_t k = 0; k < inputs; ++k) first += w.integers[static_cast<size_t>(k)];
    EXPECT_EQ(w.sums[0], first);
  }
}

/// The tile unit in plain C++: eight tiles of 16 rows of 64 bytes.
struct EmulatedTiles {
  struct Tile {
    uint8_t bytes[16][64];
    int32_t sum(int row, int column) const {
      int32_t value;
      std::memcpy(&value, &bytes[row][4 * column], sizeof(value));
      return value;
    }
  };
  inline static Tile tiles[8];

  template <int kTile>
  static void zero() {
    tiles[kTile] = {};
  }
  template <int kTile>
  static void load(const void* from, int64_t stride) {
    for (int r = 0; r < 16; ++r) {
      std::memcpy(tiles[kTile].bytes[r], static_cast<const uint8_t*>(from) + r * stride, 64);
    }
  }
  template <int kTile, int kRows, int kPanel>
  static void dot() {
    for (int row = 0; row < 16; ++row) {
      for (int column = 0; column < 16; ++column) {
        int32_t sum = tiles[kTile].sum(row, column);
        for (int k = 0; k < 64; ++k) {
          const auto weight = static_cast<int8_t>(tiles[kPanel].bytes[k / 4][4 * column + k % 4]);
          sum += int{tiles[kRows].bytes[row][k]} * weight;
        }
        std::memcpy(&tiles[kTile].bytes[row][4 * column], &sum, sizeof(sum));
      }
    }
  }
  template <int kTile>
  static void store(void* to, int64_t stride) {
    for (int r = 0; r < 16; ++r) {
      std::memcpy(static_cast<uint8_t*>(to) + r * stride, tiles[kTile].bytes[r], 64);
    }
  }
};

using Multiply = void (*)(const Int8Block&);

/// Compares the sums of a block with those of a plain loop.
void expect_exact_sums(Multiply multiply, int64_t rows, int64_t panels, int64_t depth) {
  const int64_t channels = panels * kInt8PanelChannels;
  const PackedWeights w(channels, depth, 5);
  // Aligned as arenas are; all bytes, the extremes in front.
  std::vector<uint8_t> x(static_cast<size_t>(kInt8TileRows * depth));
  const std::vector<int8_t> random = random_integers(std::ssize(x), 6);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(random[i] + 128);
  std::fill_n(x.begin(), depth, uint8_t{255});
  std::vector<int8_t> aligned(w.packed.size() + 64);
  const size_t shift = (64 - std::bit_cast<uintptr_t>(aligned.data()) % 64) % 64;
  std::ranges::copy(w.packed, aligned.begin() + static_cast<std::ptrdiff_t>(shift));
  std::vector<int32_t> sums(kInt8BlockSums, -1);
  multiply({.x = x.data(),
            .rows = rows,
            .w = aligned.data() + shift,
            .panels = panels,
            .depth = depth,
            .ahead = aligned.data() + shift,
            .sums = sums.data()});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t n = 0; n < channels; ++n) {
      int32_t expected = 0;
      for (int64_t k = 0; k < depth; ++k) {
        expected += int{x[static_cast<size_t>(r * depth + k)]} *
                    w.integers[static_cast<size_t>(n * depth + k)];
      }
      ASSERT_EQ(sums[static_cast<size_t>(r * channels + n)], expected)
          << "row " << r << " of " << rows << ", channel " << n << ", depth " << depth;
    }
  }
}

constexpr ByteProducts kAllProducts[] = {ByteProducts::kAvx2, ByteProducts::kAvxVnni,
                                         ByteProducts::kAvx512Vnni, ByteProducts::kAmx};

class Int8Products : public testing::TestWithParam<ByteProducts> {};

TEST_P(Int8Products, SumsOfEveryBlockShapeAreExact) {
  if (!has(GetParam())) GTEST_SKIP() << "this processor has no " << name_of(GetParam());
  const ops::Int8Products& products = products_of(GetParam());
  for (int64_t rows = 1; rows <= kInt8TileRows; ++rows) {
    const Int8BlockShape shape = products.shape(rows);
    for (int64_t panels = 1; panels <= shape.panels; ++panels) {
      expect_exact_sums(products.multiply, std::min(rows, shape.rows), panels, 192);
    }
  }
}

std::string name_in_test(const testing::TestParamInfo<ByteProducts>& info) {
  std::string name = name_of(info.param);
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Int8Products, testing::ValuesIn(kAllProducts), name_in_test);

TEST(Int8Tiles, SumsOnEmulatedTilesAreExact) {
  for (const int64_t rows : {1, 16, 17, 32}) {
    for (const int64_t panels : {1, 2}) {
      expect_exact_sums(multiply_on_tiles<EmulatedTiles>, rows, panels, 128);
    }
  }
}

struct Sizes {
  int64_t tokens, inputs, channels;
};
using Case = std::tuple<DType, Activation, Sizes>;

/// Operands of one product and its result.
class Product {
 public:
  Product(DType dtype, const Sizes& sizes)
      : dtype_(dtype),
        sizes_(sizes),
        w_(sizes.channels, sizes.inputs, 11),
        x_(random_floats(sizes.tokens * sizes.inputs, dtype, 12, 3)),
        b_(random_floats(sizes.channels, DType::kF32, 13)),
        scales_(random_floats(sizes.channels, DType::kF32, 14, 0.02)) {
    for (float& scale : scales_) scale = std::abs(scale) / 127 + 1e-5F;
  }

  std::vector<float>& x() { return x_; }

  /// With `products`, or as the op chooses.
  std::vector<float> run(Activation activation, std::optional<ByteProducts> products = {}) {
    Workbench bench;
    const Int8Linear op = operands(bench, activation);
    if (products) {
      const int64_t rows = int8_scratch_rows(sizes_.tokens);
      const Tensor bytes = bench.context().make({rows, int8_depth(sizes_.inputs)}, DType::kU8);
      const Tensor scales = bench.context().make({2, sizes_.tokens}, DType::kF32);
      int8_linear_cpu(op, *products, out(bytes), out(scales));
    } else {
      int8_linear(bench.context(), op);
    }
    return Workbench::values(op.y.tensor());
  }
  std::vector<double> expected(Activation activation) const {
    return reference::int8_linear({.x = x_, .w = w_.integers, .scales = scales_, .bias = b_},
                                  activation);
  }

 private:
  Int8Linear operands(Workbench& bench, Activation activation) {
    Context& context = bench.context();
    const Shape shape = int8_packed_shape(sizes_.channels, sizes_.inputs);
    const Int8Weight weight = {.packed = context.make(shape, DType::kI8),
                               .scales = bench.tensor({sizes_.channels}, scales_),
                               .sums = context.make({sizes_.channels}, DType::kI32)};
    bench.device().write(out(weight.packed), w_.packed.data());
    bench.device().write(out(weight.sums), w_.sums.data());
    return {.x = bench.tensor({sizes_.tokens, sizes_.inputs}, x_, dtype_),
            .w = weight,
            .b = bench.tensor({sizes_.channels}, b_),
            .activation = activation,
            .y = out(context.make({sizes_.tokens, sizes_.channels}, dtype_))};
  }

  DType dtype_;
  Sizes sizes_;
  PackedWeights w_;
  std::vector<float> x_, b_, scales_;
};

class Int8LinearCases : public testing::TestWithParam<Case> {};

TEST_P(Int8LinearCases, EveryProcessorsKernelsAgreeWithTheReference) {
  const auto [dtype, activation, sizes] = GetParam();
  Product product(dtype, sizes);
  const std::vector<double> expected = product.expected(activation);
  const double relative = dtype == DType::kBF16 ? 0x1p-8 : 1e-6;
  for (const ByteProducts products : kAllProducts) {
    if (!has(products)) continue;
    const std::vector<float> y = product.run(activation, products);
    expect_each_close(y, expected, 4e-5, relative + 2e-5, name_of(products));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Int8LinearCases,
    testing::Combine(testing::Values(DType::kF32, DType::kBF16),
                     testing::Values(Activation::kNone, Activation::kGelu, Activation::kTanh,
                                     Activation::kGeluTanh, Activation::kRelu, Activation::kSilu),
                     testing::Values(Sizes{1, 16, 16}, Sizes{7, 48, 80}, Sizes{16, 384, 112},
                                     Sizes{23, 144, 48}, Sizes{213, 64, 96})));

TEST(Int8Linear, AllKernelsGiveEqualBits) {
  Product product(DType::kF32, {37, 176, 208});
  const std::vector<float> first = product.run(Activation::kGelu, ByteProducts::kAvx2);
  for (const ByteProducts products : kAllProducts) {
    if (!has(products)) continue;
    EXPECT_EQ(product.run(Activation::kGelu, products), first) << name_of(products);
  }
}

TEST(Int8Linear, RowKernelsOfBothWidthsGiveEqualBits) {
  constexpr int64_t kInputs = 208;
  const std::vector<float> x = random_floats(kInputs, DType::kF32, 15, 5);
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<std::vector<float>> results;
  for (const Int8RowTable* table : {&kInt8RowsAvx2, &kInt8RowsAvx512}) {
    if (table == &kInt8RowsAvx512 && cpu::best_isa() < cpu::Isa::kAvx512) continue;
    bytes.emplace_back(256);
    float scale = 0;
    float zero = 0;
    table->f32.quantize(x.data(), kInputs, 256, bytes.back().data(), &scale, &zero);
    std::vector<int32_t> sums(kInputs);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = 1000 * bytes.back()[i] - 128000;
    const std::vector<int32_t> weights(kInputs, 3);
    for (const auto finish : table->f32.finish) {
      results.emplace_back(kInputs);
      finish({.sums = sums.data(),
              .rows = 1,
              .channels = kInputs,
              .row_scales = &scale,
              .row_zeros = &zero,
              .channel_scales = x.data(),
              .channel_sums = weights.data(),
              .bias = nullptr,
              .y = results.back().data(),
              .y_stride = kInputs});
    }
  }
  for (size_t i = 6; i < results.size(); ++i) EXPECT_EQ(results[i], results[i - 6]) << i - 6;
  EXPECT_EQ(bytes.front(), bytes.back());
}

TEST(Int8Linear, TokensAreIndependentOfTheirBatch) {
  const Sizes sizes = {213, 96, 80};
  Product product(DType::kF32, sizes);
  const std::vector<float> whole = product.run(Activation::kGelu);
  for (const int64_t token : {0, 11, 100, 212}) {
    Product alone(DType::kF32, {1, sizes.inputs, sizes.channels});
    std::copy_n(product.x().begin() + token * sizes.inputs, sizes.inputs, alone.x().begin());
    const std::vector<float> y = alone.run(Activation::kGelu);
    EXPECT_TRUE(std::equal(y.begin(), y.end(), whole.begin() + token * sizes.channels)) << token;
  }
}

TEST(Int8Linear, ResultsAreIndependentOfTheThreads) {
  Product product(DType::kF32, {300, 256, 256});
  std::vector<float> one;
  for (const int count : {1, 2, 3, 5}) {
    ThreadPool pool(count);
    const PoolBinding binding(pool);
    const std::vector<float> y = product.run(Activation::kGelu);
    if (count == 1) one = y;
    EXPECT_EQ(y, one) << count << " threads";
  }
}

TEST(Int8Linear, TokenWithNaNOrInfinityGivesNaNAndNoOtherTokenDoes) {
  Product product(DType::kF32, {3, 64, 32});
  product.x()[5] = std::numeric_limits<float>::quiet_NaN();
  product.x()[2 * 64 + 63] = -std::numeric_limits<float>::infinity();
  for (const ByteProducts products : kAllProducts) {
    if (!has(products)) continue;
    const std::vector<float> y = product.run(Activation::kRelu, products);
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i / 32 != 1) << name_of(products) << " " << i;
    }
  }
}

TEST(Int8Linear, TokenOfZerosGivesTheBias) {
  Product product(DType::kF32, {2, 64, 32});
  std::fill_n(product.x().begin(), 32, 0.0F);
  std::fill_n(product.x().begin() + 32, 32, -1e-38F);
  const std::vector<float> y = product.run(Activation::kNone);
  const std::vector<double> expected = product.expected(Activation::kNone);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(y[i], static_cast<float>(expected[i]));
}

TEST(Int8Linear, WeightOfOtherChannelsIsRefused) {
  Workbench bench;
  Context& context = bench.context();
  Int8Linear op = {.x = context.make({2, 64}, DType::kF32),
                   .w = {.packed = context.make({2, 16, 16, 4}, DType::kI8),
                         .scales = context.make({32}, DType::kF32),
                         .sums = context.make({32}, DType::kI32)},
                   .y = out(context.make({2, 32}, DType::kF32))};
  op.check();
  op.w.scales = context.make({48}, DType::kF32);
  EXPECT_THROW(op.check(), LogicError);
}

}  // namespace
}  // namespace bertha::ops
