// The element-wise kernels of every instruction set this processor has, one value at a time.

#include "ops/cpu/activation_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "ops/cpu/cross_entropy_kernels.h"
#include "support/compare.h"

namespace bertha::ops {
namespace {

using cpu::Isa;
using test::expect_each_close;
using Values = std::vector<double>;

class Kernels : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (cpu::best_isa() < GetParam()) GTEST_SKIP() << "this processor lacks it";
  }
  bool wide_ = GetParam() == Isa::kAvx512;
  ElementKernels<float> elements() const {
    return (wide_ ? activation_kernels_avx512() : activation_kernels_avx2()).f32;
  }
  ElementKernels<uint16_t> bf16_elements() const {
    return (wide_ ? activation_kernels_avx512() : activation_kernels_avx2()).bf16;
  }
  SoftmaxKernels<float> softmax() const {
    return (wide_ ? cross_entropy_kernels_avx512() : cross_entropy_kernels_avx2()).f32;
  }

  /// Both tails, the middle, and where the approximations meet.
  static std::vector<float> points() {
    std::vector<float> points;
    for (int i = -1400; i <= 1400; ++i) points.push_back(static_cast<float>(i) * 0.00937F);
    return points;
  }
};

TEST_P(Kernels, GeluIsAccurateInBothTails) {
  const std::vector<float> x = points();
  std::vector<float> y(x.size());
  elements().gelu(x.data(), y.data(), static_cast<int64_t>(x.size()));
  Values expected;
  for (const double at : x) expected.push_back(at * 0.5 * std::erfc(-at / std::numbers::sqrt2));
  expect_each_close(y, expected, 1e-37, 6e-7, "gelu");
}

TEST_P(Kernels, GeluSlopeIsAccurate) {
  const std::vector<float> x = points();
  std::vector<float> d(x.size(), 1);
  elements().gelu_gradient(d.data(), x.data(),
                           {.rows = 1, .columns = static_cast<int64_t>(x.size()), .stride = 0},
                           nullptr);
  Values expected;
  for (const double at : x) {
    const double bell = std::exp(-at * at / 2) / std::sqrt(2 * std::numbers::pi);
    expected.push_back(0.5 * std::erfc(-at / std::numbers::sqrt2) + at * bell);
  }
  expect_each_close(d, expected, 1.5e-7, 6e-7, "slope");
}

TEST_P(Kernels, InfinityAndNotANumber) {
  const std::vector<float> x = {INFINITY, NAN, 200.0F, -200.0F};
  std::vector<float> y(x.size());
  elements().gelu(x.data(), y.data(), 4);
  EXPECT_EQ(y[0], INFINITY);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(y[2], 200.0F);
  EXPECT_EQ(y[3], 0.0F);
}

/// Blocks of every width up to three vectors: only the block is touched, sums are of its columns.
TEST_P(Kernels, WorkInsideTheirBlock) {
  constexpr int64_t kRows = 37;
  constexpr int64_t kStride = 60;
  for (int64_t columns = 1; columns <= 49; ++columns) {
    std::vector<float> y(kRows * kStride, 0.5F);
    std::vector<float> d(kRows * kStride, 4.0F);
    std::vector<float> sums(kStride, 1.0F);
    elements().tanh_gradient(d.data() + 5, y.data() + 5,
                             {.rows = kRows, .columns = columns, .stride = kStride},
                             sums.data() + 5);
    for (int64_t i = 0; i < kRows * kStride; ++i) {
      const bool inside = i % kStride >= 5 && i % kStride < 5 + columns;
      ASSERT_EQ(d[static_cast<size_t>(i)], inside ? 3.0F : 4.0F) << columns << ", " << i;
    }
    for (int64_t c = 0; c < kStride; ++c) {
      const bool inside = c >= 5 && c < 5 + columns;
      ASSERT_EQ(sums[static_cast<size_t>(c)], inside ? 1 + 3.0F * kRows : 1.0F) << columns;
    }
  }
}

/// bf16 results are f32 results rounded to nearest even.
TEST_P(Kernels, Bf16RoundsToNearestEven) {
  std::vector<uint16_t> x;
  for (const float at : points()) x.push_back(BFloat16(at).bits);
  std::vector<float> wide;
  for (const uint16_t bits : x) wide.push_back(std::bit_cast<float>(uint32_t{bits} << 16));
  const auto count = static_cast<int64_t>(x.size());
  std::vector<uint16_t> y(x.size());
  bf16_elements().gelu(x.data(), y.data(), count);
  elements().gelu(wide.data(), wide.data(), count);
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], BFloat16(wide[i]).bits) << i;
}

TEST_P(Kernels, SoftmaxSumIsAccurate) {
  for (const int64_t columns : {1, 7, 16, 63, 64, 65, 30528}) {
    std::vector<float> x;
    for (int64_t i = 0; i < columns; ++i) {
      x.push_back(-100 + static_cast<float>(i * 7919 % 2003) * 0.01F);
    }
    const SoftmaxRow row = softmax().sum(x.data(), columns);
    double most = x[0];
    for (const double at : x) most = std::max(most, at);
    double sum = 0;
    for (const double at : x) sum += std::exp(at - most);
    EXPECT_EQ(static_cast<double>(row.largest), most) << columns;
    EXPECT_NEAR(row.sum / sum, 1, 3e-7) << columns;
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, Kernels, testing::Values(Isa::kAvx2, Isa::kAvx512),
                         [](const auto& tested) { return cpu::name_of(tested.param); });

}  // namespace
}  // namespace bertha::ops
