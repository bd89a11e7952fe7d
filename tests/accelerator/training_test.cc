// A tiny model trained on the CPU and on an accelerator, dropout on, from the same weights: losses,
// gradient norms and weights stay together.

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "accelerator/tiny_run.h"
#include "accelerator/under_test.h"
#include "backend/cpu/cpu_device.h"
#include "support/compare.h"

namespace bertha::train {
namespace {

using test::TinyRun;
using test::TinySizes;

constexpr int64_t kSteps = 2;

/// What a run gives: for every step the losses of its micro-batches and the gradient's norm, then
/// the weights of all parameters.
std::vector<double> train_on(Device& device, const TinySizes& sizes) {
  constexpr std::array<int32_t, 3> kLengths = {17, 6, 20};
  TinyRun run(device, sizes);
  std::vector<double> record =
      run.train(0, kSteps, [&](uint64_t number) { return test::tiny_batch(number, kLengths); });
  const std::vector<std::vector<float>> state = run.state();
  for (size_t i = 0; i < state.size(); i += 3) {
    record.insert(record.end(), state[i].begin(), state[i].end());
  }
  return record;
}

/// Hidden sizes that are no multiple of 32 place the biases of key and value between aligned
/// addresses; 312 is TinyBERT's, and 18 is no multiple of 4. A step of one micro-batch overwrites
/// gradients.
class AcceleratorTraining : public testing::TestWithParam<TinySizes> {
 protected:
  void SetUp() override {
    if (!test::accelerator().absence(0).empty()) GTEST_SKIP() << test::accelerator().absence(0);
  }
};

INSTANTIATE_TEST_SUITE_P(Sizes, AcceleratorTraining,
                         testing::Values(TinySizes{32, 2, 2, 2}, TinySizes{20, 2, 1, 2},
                                         TinySizes{18, 2, 1, 1}, TinySizes{312, 12, 1, 1}),
                         [](const auto& of) { return fmt::format("Hidden{}", of.param.hidden); });

TEST_P(AcceleratorTraining, FollowsTheCpu) {
  cpu::CpuDevice host;
  const std::vector<double> expected = train_on(host, GetParam());
  const std::vector<double> actual = train_on(*test::accelerator().open(0), GetParam());
  const auto steps = static_cast<size_t>(kSteps * (GetParam().micro_batches + 1));
  const auto head = [&](const std::vector<double>& all) {
    return std::vector<double>(all.begin(), all.begin() + static_cast<int64_t>(steps));
  };
  test::expect_each_close(head(actual), head(expected), 0, 2e-5, "losses and norms");
  test::expect_close(actual, expected, 1e-4, "weights");
}

TEST_P(AcceleratorTraining, RepeatsBitForBit) {
  // One device at a time: a process may have no more.
  const std::vector<double> first = train_on(*test::accelerator().open(0), GetParam());
  EXPECT_EQ(train_on(*test::accelerator().open(0), GetParam()), first);
}

}  // namespace
}  // namespace bertha::train
