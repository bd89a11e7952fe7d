#include "ops/squared_error.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "ops/squared_error_ref.h"
#include "support/compare.h"
#include "support/dual.h"
#include "support/host.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::Host;

constexpr int64_t kCount = 37;
constexpr float kScale = 0.375F;

struct Outcome {
  std::vector<float> result;
  std::vector<float> predictions;
};

Outcome run(Host& host, const std::vector<float>& predictions, const std::vector<float>& targets,
            bool gradient) {
  const Tensor x = host.tensor({kCount, 1}, predictions);
  const Tensor result = host.filled({2}, 7);
  squared_error(host.context(), {.predictions = inout(x),
                                 .targets = host.tensor({kCount}, targets),
                                 .scale = gradient ? host.filled({1}, kScale) : Tensor(),
                                 .result = out(result)});
  return {Host::values(result), Host::values(x)};
}

TEST(SquaredError, LossAndGradientAreTheReferences) {
  Host host;
  const std::vector<float> predictions = test::uniform_values(kCount, 1, 6);
  const std::vector<float> targets = test::uniform_values(kCount, 2, 6);
  const Outcome outcome = run(host, predictions, targets, true);
  std::vector<double> expected;
  for (size_t i = 0; i < predictions.size(); ++i) {
    std::vector<Dual> x(predictions.begin(), predictions.end());
    x[i].derivative = 1;
    const Dual loss = reference::squared_error<Dual>(x, targets);
    EXPECT_NEAR(double{outcome.result[0]} / loss.value, 1, 1e-7);
    expected.push_back(double{kScale} * loss.derivative);
  }
  EXPECT_EQ(outcome.result[1], 0);
  test::expect_close(outcome.predictions, expected, 1e-7, "gradient");
}

TEST(SquaredError, WithoutScaleThePredictionsStay) {
  Host host;
  const std::vector<float> predictions = test::uniform_values(kCount, 3, 6);
  const std::vector<float> targets = test::uniform_values(kCount, 4, 6);
  const Outcome outcome = run(host, predictions, targets, false);
  EXPECT_EQ(outcome.predictions, predictions);
  EXPECT_EQ(outcome.result, run(host, predictions, targets, true).result);
}

TEST(SquaredError, PredictionsOfSeveralColumnsAreADefect) {
  Host host;
  const Tensor x = host.filled({4, 2}, 0);
  const Tensor result = host.filled({2}, 0);
  const SquaredError op = {
      .predictions = inout(x), .targets = host.filled({4}, 0), .result = out(result)};
  EXPECT_THROW(squared_error(host.context(), op), LogicError);
}

}  // namespace
}  // namespace bertha::ops
