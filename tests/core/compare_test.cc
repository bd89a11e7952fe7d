// Tests of the comparison functions: each must detect the errors that op tests exist to find.

#include "support/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/dual.h"

namespace bertha::test {
namespace {

using Values = std::vector<float>;

double error_of(const Values& actual, const Values& expected) {
  return relative_error(std::span<const float>(actual), std::span<const float>(expected));
}

TEST(RelativeError, EqualValuesGiveZeroAndRoundedValuesASmallError) {
  EXPECT_EQ(error_of({1, -2, 3}, {1, -2, 3}), 0);
  EXPECT_LT(error_of({1, -2, 3.000001F}, {1, -2, 3}), 1e-6);
}

TEST(RelativeError, OneFlippedSignIsDetected) {
  EXPECT_GT(error_of({1, 2, 3}, {1, -2, 3}), 0.1);
}
TEST(RelativeError, TwoErrorsThatCancelInASumAreDetected) {
  EXPECT_GT(error_of({1.1F, 1.9F}, {1, 2}), 0.01);
}
TEST(RelativeError, SwappedRowsAreDetected) {
  EXPECT_GT(error_of({3, 4, 1, 2}, {1, 2, 3, 4}), 0.1);
}
TEST(RelativeError, NanAndOtherSizeGiveInfinity) {
  EXPECT_TRUE(std::isinf(error_of({1, NAN}, {1, 2})));
  EXPECT_TRUE(std::isinf(error_of({1, 2}, {1, NAN})));
  EXPECT_TRUE(std::isinf(error_of({1, INFINITY}, {1, 2})));
  EXPECT_TRUE(std::isinf(error_of({1}, {1, 2})));
}
TEST(RelativeError, ZeroReferenceGivesTheAbsoluteError) {
  EXPECT_DOUBLE_EQ(error_of({3, 4}, {0, 0}), 5);
}

TEST(Dual, ComputesTheDerivative) {
  const Dual x(0.7, 1);
  EXPECT_NEAR(exp(x * x).derivative, 2 * 0.7 * std::exp(0.49), 1e-15);
  EXPECT_NEAR((x / (x + Dual(1))).derivative, 1 / (1.7 * 1.7), 1e-15);
  EXPECT_NEAR(sqrt(x).derivative, 0.5 / std::sqrt(0.7), 1e-15);
  EXPECT_NEAR(log(x).derivative, 1 / 0.7, 1e-15);
  EXPECT_NEAR(tanh(x).derivative, 1 - std::tanh(0.7) * std::tanh(0.7), 1e-15);
  EXPECT_NEAR(erf(x).derivative, 2 / std::sqrt(M_PI) * std::exp(-0.49), 1e-15);
}

}  // namespace
}  // namespace bertha::test
