#include "io/weights/tensor_statistics.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace bertha::io {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(TensorStatistics, ElementsThatAreNotFiniteAreCountedAndLeftOut) {
  const TensorStatistics s =
      tensor_statistics(std::vector<float>{kNan, 3, -kInfinity, -4, kInfinity});
  EXPECT_EQ(s.norm, 5);
  EXPECT_EQ(s.least, -4);
  EXPECT_EQ(s.most, 3);
  EXPECT_EQ(s.nan, 1);
  EXPECT_EQ(s.infinite, 2);
}

TEST(TensorStatistics, RangeNeedNotContainZero) {
  const TensorStatistics s = tensor_statistics(std::vector<float>{2, 1});
  EXPECT_EQ(s.least, 1);
  EXPECT_EQ(s.most, 2);
}

TEST(TensorStatistics, NoFiniteElementGivesZeros) {
  EXPECT_EQ(tensor_statistics({}).norm, 0);
  EXPECT_EQ(tensor_statistics(std::vector<float>{kNan}).most, 0);
}

}  // namespace
}  // namespace bertha::io
