#include "ops/sequence_cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "ops/sequence_cross_entropy_ref.h"
#include "support/compare.h"
#include "support/dual.h"
#include "support/host.h"

namespace bertha::ops {
namespace {

using test::Dual;
using test::Host;

const std::vector<int32_t> kStart = {0, 5, 6, 17};  // one sequence is a single token
const std::vector<int32_t> kLabels = {4, 0, 0, 0, -1, 10};
constexpr int64_t kTokens = 20;  // three rows belong to no sequence
constexpr float kScale = 0.375F;

template <typename T>
std::vector<float> floats(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

struct Outcome {
  std::vector<float> result;
  std::vector<float> logits;
};

Outcome run(Host& host, const std::vector<float>& logits, bool gradient) {
  const Tensor x = host.tensor({kTokens, 2}, logits);
  const Tensor start = host.tensor({4}, floats(kStart), DType::kI32);
  const Tensor labels = host.tensor({3, 2}, floats(kLabels), DType::kI32);
  const Tensor scale = gradient ? host.filled({1}, kScale) : Tensor();
  const Tensor result = host.filled({2}, 7);
  sequence_cross_entropy(host.context(), {.logits = inout(x),
                                          .seq_start = start,
                                          .labels = labels,
                                          .scale = scale,
                                          .result = out(result)});
  return {Host::values(result), Host::values(x)};
}

TEST(SequenceCrossEntropy, LossAndGradientAreTheReferences) {
  Host host;
  const std::vector<float> logits = test::uniform_values(kTokens * 2, 1, 6);
  const Outcome outcome = run(host, logits, true);
  std::vector<double> expected;
  for (size_t i = 0; i < logits.size(); ++i) {
    std::vector<Dual> x(logits.begin(), logits.end());
    x[i].derivative = 1;
    const Dual loss = reference::sequence_cross_entropy<Dual>(x, kStart, kLabels);
    if (i == 0) {
      EXPECT_NEAR(double{outcome.result[0]} / loss.value, 1, 1e-7);
    }
    expected.push_back(double{kScale} * loss.derivative);
  }
  test::expect_close(outcome.logits, expected, 1e-7, "gradient");
  for (size_t i = 17 * 2; i < logits.size(); ++i) EXPECT_EQ(outcome.logits[i], 0) << i;
}

TEST(SequenceCrossEntropy, WithoutScaleTheLogitsStay) {
  Host host;
  const std::vector<float> logits = test::uniform_values(kTokens * 2, 2, 6);
  const Outcome outcome = run(host, logits, false);
  EXPECT_EQ(outcome.logits, logits);
  EXPECT_EQ(outcome.result, run(host, logits, true).result);
}

TEST(SequenceCrossEntropy, CountsHitsWithTheLowestOfEquals) {
  Host host;
  std::vector<float> logits(kTokens * 2, 1.0F);
  // All equal: labels 0 are hits (three of them), labels 4 and 10 are not.
  EXPECT_EQ(run(host, logits, false).result[1], 3);
  logits[2 * 4] = 2;        // first sequence, first column, token 4
  logits[2 * 16 + 1] = 90;  // third sequence, second column, token 10
  EXPECT_EQ(run(host, logits, false).result[1], 5);
}

TEST(SequenceCrossEntropy, LargeLogitsDoNotOverflow) {
  Host host;
  std::vector<float> logits(kTokens * 2, -3e4F);
  logits[0] = 3e4F;
  const Outcome outcome = run(host, logits, true);
  EXPECT_NEAR(outcome.result[0], 6e4 + std::log(5.0) + std::log(11.0), 0.01);
  for (const float gradient : outcome.logits) EXPECT_TRUE(std::isfinite(gradient));
}

TEST(SequenceCrossEntropy, ALabelOutsideItsSequenceIsADefect) {
  Host host;
  const Tensor x = host.filled({6, 2}, 0);
  const Tensor start = host.tensor({3}, {0, 2, 6}, DType::kI32);
  const Tensor labels = host.tensor({2, 2}, {0, 2, 0, 0}, DType::kI32);
  const Tensor result = host.filled({2}, 0);
  const ops::SequenceCrossEntropy op = {
      .logits = inout(x), .seq_start = start, .labels = labels, .result = out(result)};
  EXPECT_THROW(sequence_cross_entropy(host.context(), op), LogicError);
}

}  // namespace
}  // namespace bertha::ops
