#include "ops/cross_entropy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "ops/cross_entropy_ref.h"
#include "support/compare.h"
#include "support/dual.h"
#include "workbench.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::tolerance;
using test::Workbench;
using Values = std::vector<double>;

// dtype, rows, columns
using Case = std::tuple<DType, int64_t, int64_t>;

class CrossEntropy : public testing::TestWithParam<Case> {
 protected:
  DType dtype_ = std::get<0>(GetParam());
  int64_t rows_ = std::get<1>(GetParam());
  int64_t columns_ = std::get<2>(GetParam());
  Workbench bench_;
  Values logits_ = Workbench::random(rows_ * columns_, dtype_, 1, 6);
  std::vector<int32_t> labels_ = make_labels();
  Tensor logits_tensor_ = bench_.put(logits_, {rows_, columns_}, dtype_);
  Tensor labels_tensor_ = bench_.put(labels_);
  Tensor scale_ = bench_.put(Values{0.375}, {1}, DType::kF32);
  Tensor result_ = bench_.context().make({2}, DType::kF32);

  /// Every fifth row has no label; every third row's label has the largest logit.
  std::vector<int32_t> make_labels() {
    PhiloxStream stream(7, 0);
    std::vector<int32_t> labels;
    for (int64_t row = 0; row < rows_; ++row) {
      auto label = static_cast<int32_t>(stream.below(static_cast<uint64_t>(columns_)));
      if (row % 3 == 0) logits_[static_cast<size_t>(row * columns_ + label)] = 6.5;
      if (row % 5 == 4) label = -1;
      labels.push_back(label);
    }
    return labels;
  }
  Values run(const Tensor& scale) {
    cross_entropy(bench_.context(), {.logits = inout(logits_tensor_),
                                     .labels = labels_tensor_,
                                     .scale = scale,
                                     .result = out(result_)});
    return bench_.get(result_);
  }
  /// scale (softmax - onehot), 0 in rows without a label.
  Values expected_gradient() const {
    Values gradient(logits_.size());
    for (int64_t row = 0; row < rows_; ++row) {
      const int32_t label = labels_[static_cast<size_t>(row)];
      if (label == -1) continue;
      const auto begin = static_cast<size_t>(row * columns_);
      double sum = 0;
      for (size_t c = 0; c < static_cast<size_t>(columns_); ++c)
        sum += std::exp(logits_[begin + c]);
      for (size_t c = 0; c < static_cast<size_t>(columns_); ++c) {
        const double onehot = c == static_cast<size_t>(label) ? 1 : 0;
        gradient[begin + c] = 0.375 * (std::exp(logits_[begin + c]) / sum - onehot);
      }
    }
    return gradient;
  }
};

TEST_P(CrossEntropy, MatchesTheReference) {
  const auto expected = reference::cross_entropy<double>(logits_, labels_);
  const Values result = run(Tensor());
  EXPECT_NEAR(result[0], expected.loss, 1e-6 * expected.loss + 1e-5);
  EXPECT_EQ(result[1], static_cast<double>(expected.hits));
  EXPECT_EQ(bench_.get(logits_tensor_), logits_) << "logits stay without a scale";
}

TEST_P(CrossEntropy, GradientReplacesTheLogits) {
  const auto expected = reference::cross_entropy<double>(logits_, labels_);
  const Values result = run(scale_);
  EXPECT_NEAR(result[0], expected.loss, 1e-6 * expected.loss + 1e-5);
  // At the label p - 1 cancels: an ulp of 1 stays, whatever the difference is.
  test::expect_each_close(bench_.get(logits_tensor_), expected_gradient(), 0.375 * 0x1p-22,
                          2 * tolerance(dtype_), "gradient");
}

TEST_P(CrossEntropy, RowsWithoutALabelGetZero) {
  run(scale_);
  const Values gradient = bench_.get(logits_tensor_);
  for (int64_t row = 4; row < rows_; row += 5) {
    for (int64_t c = 0; c < columns_; ++c) {
      ASSERT_EQ(gradient[static_cast<size_t>(row * columns_ + c)], 0) << row << ", " << c;
    }
  }
}

TEST_P(CrossEntropy, RepeatsBitForBit) {
  const Values first = run(scale_);
  const Values gradient = bench_.get(logits_tensor_);
  bench_.set(logits_tensor_, logits_);
  EXPECT_EQ(run(scale_), first);
  EXPECT_EQ(bench_.get(logits_tensor_), gradient);
}

INSTANTIATE_TEST_SUITE_P(Sizes, CrossEntropy,
                         testing::Combine(testing::Values(DType::kF32, DType::kBF16),
                                          testing::Values(1, 3, 17, 33),
                                          testing::Values(1, 2, 3, 17, 33, 130, 30528)),
                         [](const auto& tested) {
                           return fmt::format("{}_{}x{}", name_of(std::get<0>(tested.param)),
                                              std::get<1>(tested.param), std::get<2>(tested.param));
                         });

/// The gradient formula above against dual numbers of the reference.
TEST(CrossEntropyReference, GradientIsTheDerivative) {
  const Values logits = Workbench::random(12, DType::kF32, 3);
  const std::vector<int32_t> labels = {2, -1, 0};
  std::vector<Dual> x(logits.begin(), logits.end());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i].derivative = 1;
    const Dual loss = reference::cross_entropy<Dual>(x, labels).loss;
    x[i].derivative = 0;
    const size_t row = i / 4;
    double sum = 0;
    for (size_t c = 0; c < 4; ++c) sum += std::exp(logits[row * 4 + c]);
    const double onehot = static_cast<int32_t>(i % 4) == labels[row] ? 1 : 0;
    const double expected = labels[row] == -1 ? 0 : std::exp(logits[i]) / sum - onehot;
    EXPECT_NEAR(loss.derivative, expected, 1e-14) << i;
  }
}

class CrossEntropyEdges : public testing::Test {
 protected:
  Workbench bench_;
  Values run(const Values& logits, std::vector<int32_t> labels) {
    const auto rows = static_cast<int64_t>(labels.size());
    const auto columns = static_cast<int64_t>(logits.size()) / rows;
    const Tensor x = bench_.put(logits, {rows, columns}, DType::kF32);
    const Tensor result = bench_.context().make({2}, DType::kF32);
    cross_entropy(bench_.context(),
                  {.logits = inout(x), .labels = bench_.put(labels), .result = out(result)});
    return bench_.get(result);
  }
};

TEST_F(CrossEntropyEdges, OfEqualLogitsTheFirstCounts) {
  EXPECT_EQ(run({1, 5, 5, 2}, {1})[1], 1);
  EXPECT_EQ(run({1, 5, 5, 2}, {2})[1], 0);
}

TEST_F(CrossEntropyEdges, LargeLogitsDoNotOverflow) {
  const Values result = run({3e4, -3e4, 2.99e4}, {2});
  EXPECT_NEAR(result[0], 100, 0.01);
}

TEST_F(CrossEntropyEdges, NotANumberComesThrough) {
  for (const size_t at : {size_t{0}, size_t{20}, size_t{36}}) {
    Values logits(37, 0.5);
    logits[at] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(std::isnan(run(logits, {3})[0])) << at;
  }
}

TEST_F(CrossEntropyEdges, NoLabelAtAllGivesZero) {
  EXPECT_EQ(run({1, 2, 3, 4}, {-1, -1}), (Values{0, 0}));
}

TEST_F(CrossEntropyEdges, ALabelOutsideIsRefused) {
  EXPECT_THROW(run({1, 2}, {2}), LogicError);
  EXPECT_THROW(run({1, 2}, {-2}), LogicError);
}

}  // namespace
}  // namespace bertha::ops
