#include "comm/cost_model.h"

#include <gtest/gtest.h>

#include <vector>

namespace bertha::comm {
namespace {

constexpr Network kPlain = {"plain", {0, 1e9}, {0, 1e8}, 2};

TEST(CostModel, ARingMovesTwiceTheBytesLessAShare) {
  EXPECT_EQ(sum_seconds(kPlain, 1, 8, 1 << 20), 0);
  // 4 ranks of a node: 2 * 3 / 4 of 1e9 bytes at 0.8e9 a second.
  EXPECT_NEAR(sum_seconds(kPlain, 4, 8, 1000000000), 1.5 / 0.8, 1e-9);
  // 2 nodes add 2 * 1 / 2 of the bytes over two cards of 1e8.
  EXPECT_NEAR(sum_seconds(kPlain, 8, 4, 1000000000), 1.5 / 0.8 + 1 / 0.16, 1e-9);
}

TEST(CostModel, LatencyGrowsWithRanksAndNotWithBytes) {
  constexpr Network kSlow = {"slow", {1e-3, 1e30}, {1e-3, 1e30}, 1};
  EXPECT_NEAR(sum_seconds(kSlow, 8, 8, 1 << 30), 14e-3, 1e-9);
  EXPECT_NEAR(sum_seconds(kSlow, 1024, 8, 0), (14 + 254) * 1e-3, 1e-9);
}

TEST(CostModel, OverlapHidesNoMoreThanThereIs) {
  StepCost cost = {.micro_batch_seconds = 1,
                   .update_seconds = 0.5,
                   .accumulation = 4,
                   .gradient_bytes = 1000000000,
                   .overlap = 0};
  const StepTime bare = step_time(cost, kPlain, 4, 8);
  EXPECT_NEAR(bare.step_seconds, 4.5 + 1.875, 1e-9);
  EXPECT_NEAR(bare.efficiency, 4.5 / 6.375, 1e-9);
  cost.overlap = 0.5;
  EXPECT_NEAR(step_time(cost, kPlain, 4, 8).step_seconds, bare.step_seconds - 0.5, 1e-9);
  cost.gradient_bytes = 1000;
  EXPECT_NEAR(step_time(cost, kPlain, 4, 8).step_seconds, 4.5, 1e-9);
}

TEST(CostModel, NetworksHaveNames) {
  ASSERT_TRUE(find_network("h100-ndr"));
  EXPECT_FALSE(find_network("smoke-signals"));
  for (const Network& network : known_networks()) {
    EXPECT_GT(sum_seconds(network, 32, 8, 1 << 30), 0) << network.name;
    EXPECT_GT(sum_seconds(network, 1024, 8, 1 << 30), sum_seconds(network, 32, 8, 1 << 30));
  }
}

TEST(CostModel, AFitFindsTheLinkBehindItsSamples) {
  std::vector<Sample> samples;
  for (const double bytes : {1e3, 1e5, 1e7}) samples.push_back({bytes, 2e-5 + bytes / 3e9});
  const auto link = fit_link(samples);
  ASSERT_TRUE(link);
  EXPECT_NEAR(link->latency_seconds, 2e-5, 1e-9);
  EXPECT_NEAR(link->bytes_per_second, 3e9, 1e4);
  EXPECT_FALSE(fit_link(std::vector<Sample>{{1e3, 1e-3}}));
  EXPECT_FALSE(fit_link(std::vector<Sample>{{1e3, 1e-3}, {1e3, 2e-3}}));
  EXPECT_FALSE(fit_link(std::vector<Sample>{{1e3, 1e-3}, {1e6, 1e-6}}));
}

}  // namespace
}  // namespace bertha::comm
