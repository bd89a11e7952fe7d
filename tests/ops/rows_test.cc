#include "ops/rows.h"

#include <gtest/gtest.h>

#include "ops/rows_ref.h"
#include "support/compare.h"
#include "support/dual.h"
#include "workbench.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::Workbench;
using Values = std::vector<double>;

class Rows : public testing::TestWithParam<DType> {
 protected:
  static constexpr int64_t kTokens = 19;
  static constexpr int64_t kColumns = 133;
  const std::vector<int32_t> picked_ = {18, 0, 3, 3, 7, 3, 18};
  const int64_t count_ = static_cast<int64_t>(picked_.size());
  Workbench bench_;
  Tensor rows_ = bench_.put(picked_);
};

TEST_P(Rows, GatherCopies) {
  const Values x = Workbench::random(kTokens * kColumns, GetParam(), 1);
  const Tensor y = bench_.context().make({count_, kColumns}, GetParam());
  gather_rows(bench_.context(),
              {.x = bench_.put(x, {kTokens, kColumns}, GetParam()), .rows = rows_, .y = out(y)});
  Values expected(static_cast<size_t>(y.size()));
  reference::gather_rows<double>(x, picked_, kColumns, expected);
  EXPECT_EQ(bench_.get(y), expected);
}

TEST_P(Rows, BackwardAddsDuplicatesInOrder) {
  const Values d_y = Workbench::random(count_ * kColumns, GetParam(), 2);
  const Values before = Workbench::random(kTokens * kColumns, GetParam(), 3);
  const Tensor d_x = bench_.put(before, {kTokens, kColumns}, GetParam());
  gather_rows_backward(
      bench_.context(),
      {.d_y = bench_.put(d_y, {count_, kColumns}, GetParam()), .rows = rows_, .d_x = inout(d_x)});
  Values expected = before;
  for (size_t i = 0; i < picked_.size(); ++i) {
    for (size_t c = 0; c < kColumns; ++c) {
      double& to = expected[static_cast<size_t>(picked_[i]) * kColumns + c];
      const auto sum = static_cast<float>(to) + static_cast<float>(d_y[i * kColumns + c]);
      to = GetParam() == DType::kBF16 ? double{float(BFloat16(sum))} : double{sum};
    }
  }
  EXPECT_EQ(bench_.get(d_x), expected);
}

TEST_P(Rows, BackwardIsTheDerivative) {
  const Values d_y = Workbench::random(count_ * 2, GetParam(), 4);
  const Tensor d_x = bench_.put(Values(kTokens * 2), {kTokens, 2}, GetParam());
  gather_rows_backward(
      bench_.context(),
      {.d_y = bench_.put(d_y, {count_, 2}, GetParam()), .rows = rows_, .d_x = inout(d_x)});
  Values expected;
  for (size_t i = 0; i < kTokens * 2; ++i) {
    std::vector<Dual> x(kTokens * 2);
    x[i].derivative = 1;
    std::vector<Dual> y(d_y.size());
    reference::gather_rows<Dual>(x, picked_, 2, y);
    double derivative = 0;
    for (size_t j = 0; j < y.size(); ++j) derivative += y[j].derivative * d_y[j];
    expected.push_back(derivative);
  }
  test::expect_close(bench_.get(d_x), expected, test::tolerance(GetParam()), "d_x");
}

TEST_P(Rows, RefusesARowOutside) {
  const Tensor x = bench_.put(Values(18 * 4), {18, 4}, GetParam());
  const Tensor y = bench_.context().make({count_, 4}, GetParam());
  const GatherRows gather = {.x = x, .rows = rows_, .y = out(y)};
  EXPECT_THROW(gather_rows(bench_.context(), gather), LogicError);
  const GatherRowsBackward backward = {.d_y = y, .rows = rows_, .d_x = inout(x)};
  EXPECT_THROW(gather_rows_backward(bench_.context(), backward), LogicError);
}

INSTANTIATE_TEST_SUITE_P(DTypes, Rows, testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

}  // namespace
}  // namespace bertha::ops
