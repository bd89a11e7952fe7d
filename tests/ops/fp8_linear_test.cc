// What an operand's state says after its uses; the products are checked by bertha doctor's table
// and, on CUDA, by tests/cuda.

#include "ops/fp8_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/compare.h"
#include "support/host.h"

namespace bertha::ops {
namespace {

using Values = std::vector<float>;

class Fp8Linear : public testing::Test {
 protected:
  static constexpr int64_t kTokens = 9;
  static constexpr int64_t kInner = 21;
  static constexpr int64_t kOuter = 13;

  Tensor state() { return host_.filled({kFp8State}, 0); }
  Tensor random(const Shape& shape, uint64_t stream, float range) {
    return host_.tensor(shape, test::uniform_values(shape.size(), stream, range));
  }
  void use(const Tensor& x, bool notes = true) {
    fp8_linear(host_.context(), {.linear = {.x = x, .w = w_, .y = out(y_)},
                                 .x_state = inout(x_state_),
                                 .w_state = inout(w_state_),
                                 .notes = notes});
  }
  Values x_state() { return test::Host::values(x_state_); }

  test::Host host_;
  Tensor x_state_ = state();
  Tensor w_state_ = state();
  Tensor w_ = random({kOuter, kInner}, 2, 0.05F);
  Tensor y_ = host_.filled({kTokens, kOuter}, 0);
};

TEST_F(Fp8Linear, ScaleIsThatOfTheLargestOfTheLastUses) {
  const Tensor large = host_.filled({kTokens, kInner}, 3);
  const Tensor small = host_.filled({kTokens, kInner}, 0.01F);
  use(large);
  EXPECT_EQ(x_state()[0], 3);
  EXPECT_EQ(x_state()[kFp8Scale], fp8_scale(3, Fp8Format::kE4M3));
  for (int64_t i = 1; i < kFp8History; ++i) use(small);
  EXPECT_EQ(x_state()[kFp8Scale], fp8_scale(3, Fp8Format::kE4M3)) << "still in the history";
  use(small);
  EXPECT_EQ(x_state()[kFp8Scale], fp8_scale(0.01F, Fp8Format::kE4M3));
  EXPECT_EQ(x_state()[kFp8Inverse] * x_state()[kFp8Scale], 1);
}

TEST_F(Fp8Linear, RunningAgainNotesNothing) {
  const Tensor x = random({kTokens, kInner}, 1, 2);
  use(x);
  const Values before = x_state();
  const Values y = test::Host::values(y_);
  use(x, false);
  EXPECT_EQ(x_state(), before);
  EXPECT_EQ(test::Host::values(y_), y);
}

TEST_F(Fp8Linear, WhatIsNotFiniteStaysInItsStep) {
  use(random({kTokens, kInner}, 1, 2));
  const Values before = x_state();
  Values broken(static_cast<size_t>(kTokens * kInner), 1);
  broken[5] = std::numeric_limits<float>::quiet_NaN();
  use(host_.tensor({kTokens, kInner}, broken));
  EXPECT_TRUE(std::isnan(test::Host::values(y_)[0])) << "the step must be seen to be broken";
  EXPECT_EQ(x_state(), before);
}

TEST_F(Fp8Linear, ProductIsThatOfRoundedOperands) {
  const Tensor x = random({kTokens, kInner}, 1, 2);
  use(x);
  const auto rounded = [&](const Tensor& values, const Tensor& state) {
    Values all = test::Host::values(values);
    const float scale = test::Host::values(state)[kFp8Scale];
    for (float& value : all) value = round_to_fp8(value, scale, Fp8Format::kE4M3);
    return all;
  };
  const Values left = rounded(x, x_state_);
  const Values right = rounded(w_, w_state_);
  Values expected;
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t n = 0; n < kOuter; ++n) {
      double sum = 0;
      for (size_t k = 0; k < kInner; ++k) {
        sum += double{left[t * kInner + k]} * double{right[n * kInner + k]};
      }
      expected.push_back(static_cast<float>(sum));
    }
  }
  test::expect_close(test::Host::values(y_), expected, 1e-6, "y");
}

}  // namespace
}  // namespace bertha::ops
