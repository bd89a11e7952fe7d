#include "ops/binary_cross_entropy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "ops/binary_cross_entropy_ref.h"
#include "support/compare.h"
#include "support/dual.h"
#include "support/host.h"
#include "support/paths.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::Host;

constexpr int64_t kRows = 13;
constexpr int64_t kLabels = 3;
constexpr float kScale = 0.375F;

struct Outcome {
  std::vector<float> result;
  std::vector<float> logits;
};

Outcome run(Host& host, const std::vector<float>& logits, const std::vector<float>& targets,
            const Shape& shape, float scale) {
  const Tensor x = host.tensor(shape, logits);
  const Tensor result = host.filled({2}, 7);
  binary_cross_entropy(host.context(), {.logits = inout(x),
                                        .targets = host.tensor(shape, targets),
                                        .scale = scale > 0 ? host.filled({1}, scale) : Tensor(),
                                        .result = out(result)});
  return {Host::values(result), Host::values(x)};
}

/// 0 and 1 in an order without a pattern, and some between them.
std::vector<float> some_targets() {
  std::vector<float> targets = test::uniform_values(kRows * kLabels, 2, 1);
  for (size_t i = 0; i < targets.size(); ++i) {
    targets[i] = i % 5 == 0 ? std::abs(targets[i]) : targets[i] > 0 ? 1.0F : 0.0F;
  }
  return targets;
}

TEST(BinaryCrossEntropy, LossAndGradientAreTheReferences) {
  Host host;
  const std::vector<float> logits = test::uniform_values(kRows * kLabels, 1, 6);
  const std::vector<float> targets = some_targets();
  const Outcome outcome = run(host, logits, targets, {kRows, kLabels}, kScale);
  std::vector<double> expected;
  double right = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    std::vector<Dual> x(logits.begin(), logits.end());
    x[i].derivative = 1;
    const Dual loss = reference::binary_cross_entropy<Dual>(x, targets);
    EXPECT_NEAR(double{outcome.result[0]} / loss.value, 1, 1e-7);
    expected.push_back(double{kScale} * loss.derivative);
    right += (logits[i] >= 0) == (targets[i] >= 0.5F) ? 1 : 0;
  }
  EXPECT_EQ(outcome.result[1], right);
  test::expect_close(outcome.logits, expected, 1e-7, "gradient");
}

TEST(BinaryCrossEntropy, WithoutScaleTheLogitsStay) {
  Host host;
  const std::vector<float> logits = test::uniform_values(kRows * kLabels, 3, 6);
  const Outcome outcome = run(host, logits, some_targets(), {kRows, kLabels}, 0);
  EXPECT_EQ(outcome.logits, logits);
  EXPECT_EQ(outcome.result, run(host, logits, some_targets(), {kRows, kLabels}, kScale).result);
}

std::vector<float> flat(const nlohmann::json& rows) {
  std::vector<float> values;
  for (const nlohmann::json& row : rows) {
    for (const nlohmann::json& value : row) values.push_back(value.get<float>());
  }
  return values;
}

// fixtures/README.md says how the values were made.
TEST(BinaryCrossEntropy, LossAndGradientAreThoseOfPyTorch) {
  std::ifstream file(test::tests_path("ops/fixtures/binary_cross_entropy.json"));
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 10U);
  for (const nlohmann::json& one : cases) {
    Host host;
    const std::vector<float> logits = flat(one["logits"]);
    const auto count = static_cast<float>(logits.size());
    const Shape shape = {std::ssize(one["logits"]), std::ssize(one["logits"][0])};
    const Outcome outcome = run(host, logits, flat(one["targets"]), shape, 1 / count);
    EXPECT_NEAR(double{outcome.result[0]} / double{count} / one["loss"].get<double>(), 1, 2e-7);
    const std::vector<float> expected = flat(one["gradient"]);
    test::expect_close(outcome.logits, expected, 2e-7, "gradient");
  }
}

TEST(BinaryCrossEntropy, TargetsOfAnotherShapeAreADefect) {
  Host host;
  const Tensor x = host.filled({4, 2}, 0);
  const Tensor result = host.filled({2}, 0);
  const BinaryCrossEntropy op = {
      .logits = inout(x), .targets = host.filled({4}, 0), .result = out(result)};
  EXPECT_THROW(binary_cross_entropy(host.context(), op), LogicError);
}

}  // namespace
}  // namespace bertha::ops
