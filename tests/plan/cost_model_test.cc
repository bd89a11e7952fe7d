#include "plan/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "comm/buckets.h"

namespace bertha::plan {
namespace {

/// 1e9 bytes a second within a node, two network cards of 1e8 between nodes, no latency.
constexpr Cluster kPlain = {{0, 1e9}, {0, 1e8}, 4, 2};
constexpr Link kSlow = {1e-3, 1e30};

TEST(CostModel, RingMovesTwiceTheBytesLessOnePart) {
  EXPECT_EQ(all_reduce_seconds(kPlain, 1, 1 << 20), 0);
  // 4 ranks of a node: 2 · 3 / 4 of 1e9 bytes.
  EXPECT_NEAR(all_reduce_seconds(kPlain, 4, 1e9), 1.5, 1e-9);
  // 2 nodes add 2 · 1 / 2 of the bytes over two network cards of 1e8.
  EXPECT_NEAR(all_reduce_seconds(kPlain, 8, 1e9), 1.5 + 5, 1e-9);
  EXPECT_NEAR(reduce_scatter_seconds(kPlain, 8, 1e9), 6.5 / 2, 1e-9);
}

TEST(CostModel, LatencyGrowsWithRanksUntilTreesAreFaster) {
  EXPECT_NEAR(all_reduce_seconds({kSlow, kSlow, 2, 1}, 2, 1 << 30), 2e-3, 1e-9);
  // A ring over 8 would take 14 messages in turn, trees take 2 log2(8).
  EXPECT_NEAR(all_reduce_seconds({kSlow, kSlow, 8, 1}, 8, 0), 6e-3, 1e-9);
  EXPECT_NEAR(all_reduce_seconds({kSlow, kSlow, 8, 1}, 1024, 0), (6 + 14) * 1e-3, 1e-9);
  EXPECT_NEAR(reduce_scatter_seconds({kSlow, kSlow, 8, 1}, 1024, 0), (7 + 127) * 1e-3, 1e-9);
}

TEST(CostModel, BucketsAreCutFromTheLastElementToTheFirst) {
  std::vector<std::pair<int64_t, int64_t>> pieces;
  const auto note = [&](int64_t offset, int64_t count) { pieces.emplace_back(offset, count); };
  EXPECT_EQ(comm::cut_buckets(100, 75, 40, note), 100);
  EXPECT_EQ(comm::cut_buckets(100, 15, 40, note), 20);
  EXPECT_EQ(comm::cut_buckets(20, 0, 40, note), 0);
  const std::vector<std::pair<int64_t, int64_t>> expected = {{60, 40}, {20, 40}, {0, 20}};
  EXPECT_EQ(pieces, expected);
}

/// A micro-batch of 10 s whose gradients, 4 · 25 elements of 4 bytes, are final at 4, 6, 8 and 10.
StepCost example() {
  StepCost cost;
  cost.micro_batch_seconds = 10;
  cost.finals = {{4, 75}, {6, 50}, {8, 25}, {10, 0}};
  cost.elements = 100;
  cost.bucket_elements = 25;
  cost.update_seconds = 1;
  cost.accumulation = 3;
  return cost;
}

/// Two ranks over a link where a bucket of 25 elements takes `seconds`.
Cluster pair_of(double seconds) {
  return {{0, 100 / seconds}, {0, 1}, 2, 1};
}

/// By hand. Sums of 1.5 s: [4, 5.5], [6, 7.5], [8, 9.5], [10, 11.5]: 1.5 s are seen. Sums of 3 s:
/// [4, 7], [7, 10], [10, 13], [13, 16]: 6 of 12 are seen.
TEST(CostModel, ReductionsOverlapWithTheBackwardPass) {
  const StepTime quick = step_time(example(), pair_of(1.5), 2);
  EXPECT_NEAR(quick.reduction_seconds, 6, 1e-9);
  EXPECT_NEAR(quick.exposed_seconds(), 1.5, 1e-9);
  EXPECT_NEAR(quick.step_seconds, 30 + 1 + 1.5, 1e-9);
  const StepTime slow = step_time(example(), pair_of(3), 2);
  EXPECT_NEAR(slow.exposed_seconds(), 6, 1e-9);
  ASSERT_EQ(slow.buckets.size(), 4U);
  EXPECT_NEAR(slow.buckets[2].ready, 8, 1e-9);
  EXPECT_NEAR(slow.buckets[2].begin, 10, 1e-9);
  EXPECT_NEAR(slow.buckets[3].end, 16, 1e-9);
}

/// Buckets of 40: at 6 the first (50 are final), at 8 none (35 are left), at 10 two.
TEST(CostModel, BucketIsReducedWhenItIsFull) {
  StepCost cost = example();
  cost.bucket_elements = 40;
  const StepTime time = step_time(cost, pair_of(2.5), 2);  // 0.1 s an element
  ASSERT_EQ(time.buckets.size(), 3U);
  EXPECT_NEAR(time.buckets[0].begin, 6, 1e-9);
  EXPECT_NEAR(time.buckets[0].end, 10, 1e-9);
  EXPECT_NEAR(time.buckets[1].ready, 10, 1e-9);
  EXPECT_EQ(time.buckets[2].elements, 20);
  EXPECT_NEAR(time.exposed_seconds(), 6, 1e-9);
}

TEST(CostModel, SmallerOverlapHidesLess) {
  StepCost cost = example();
  cost.overlap = 0;
  EXPECT_NEAR(step_time(cost, pair_of(1.5), 2).exposed_seconds(), 6, 1e-9);
  cost.overlap = 0.5;
  EXPECT_NEAR(step_time(cost, pair_of(1.5), 2).exposed_seconds(), 1.5 + 4.5 / 2, 1e-9);
}

TEST(CostModel, OneRankHasNoReduction) {
  const StepTime time = step_time(example(), pair_of(1.5), 1);
  EXPECT_NEAR(time.step_seconds, 31, 1e-9);
  EXPECT_EQ(time.reduction_seconds, 0);
}

/// With bf16 on the wire gradients are half of the bytes, the weights that come back are not.
TEST(CostModel, PartitionedStateOverlapsNothingAndDividesTheUpdate) {
  StepCost cost = example();
  cost.partitions_state = true;
  EXPECT_NEAR(step_time(cost, pair_of(1.5), 2).step_seconds, 30 + 0.5 + 6, 1e-9);
  cost.wire_bytes = 2;
  EXPECT_NEAR(step_time(cost, pair_of(1.5), 2).step_seconds, 30 + 0.5 + 4.5, 1e-9);
  cost.partitions_state = false;
  EXPECT_NEAR(step_time(cost, pair_of(1.5), 2).reduction_seconds, 3, 1e-9);
}

TEST(CostModel, LinksAreFoundByName) {
  const auto nvlink = find_link(known_interconnects(), "nvlink4");
  ASSERT_TRUE(nvlink);
  EXPECT_NEAR(nvlink->bytes_per_second, 0.8 * 450e9, 1);
  EXPECT_FALSE(find_link(known_networks(), "smoke-signals"));
  for (const Fabric& fabric : known_networks()) {
    const Cluster cluster = {*nvlink, fabric.delivered(), 8, 8};
    EXPECT_GT(all_reduce_seconds(cluster, 32, 1 << 30), all_reduce_seconds(cluster, 8, 1 << 30))
        << fabric.name;
    EXPECT_GT(all_reduce_seconds(cluster, 1024, 1 << 30), all_reduce_seconds(cluster, 32, 1 << 30));
    EXPECT_FALSE(fabric.source.empty());
  }
}

/// NVIDIA's published strong scaling of BERT-Large, phase 1, at 65,536 sequences an update (580
/// sequences a second on one A100 of 80 GB, micro-batches of 256; gradients in half precision after
/// the backward pass): 98.9 % of 8 GPUs, 94.9 % of 256.
TEST(CostModel, EfficiencyIsCloseToPublishedScaling) {
  StepCost cost;
  cost.micro_batch_seconds = 256 / 580.0;
  cost.elements = 336'000'000;
  cost.finals = {{cost.micro_batch_seconds, 0}};
  cost.update_seconds = 0.008;  // 40 bytes a parameter at 80 % of 2 TB/s
  cost.wire_bytes = 2;
  const Cluster dgx = {*find_link(known_interconnects(), "nvlink3"),
                       *find_link(known_networks(), "infiniband-hdr"), 8, 8};
  const auto seconds = [&](int64_t ranks) {
    cost.accumulation = 256 / ranks;
    return step_time(cost, dgx, ranks).step_seconds;
  };
  EXPECT_NEAR(seconds(1) / seconds(8) / 8, 0.989, 0.012);
  EXPECT_NEAR(seconds(1) / seconds(256) / 256, 0.949, 0.012);
}

std::vector<Sample> samples_of(ReduceAlgorithm method, const Link& link, double noise) {
  std::mt19937 random(5);
  std::vector<Sample> samples;
  for (const int64_t ranks : {2, 4, 16}) {
    const auto n = static_cast<double>(ranks);
    const bool ring = method == ReduceAlgorithm::kRing;
    const double latencies = ring ? 2 * (n - 1) : 2 * std::log2(n);
    const double passes = ring ? 2 * (n - 1) / n : 2;
    for (double bytes = 1e3; bytes < 1e9; bytes *= 10) {
      const double sign = random() % 2 == 0 ? 1 : -1;
      const double seconds =
          latencies * link.latency_seconds + passes * bytes / link.bytes_per_second;
      samples.push_back({ranks, bytes, seconds * (1 + sign * noise)});
    }
  }
  return samples;
}

TEST(CostModel, FitFindsTheLinkOfItsSamples) {
  for (const ReduceAlgorithm method : {ReduceAlgorithm::kRing, ReduceAlgorithm::kTrees}) {
    const auto exact = fit_link(samples_of(method, {2e-5, 3e9}, 0));
    ASSERT_TRUE(exact);
    EXPECT_EQ(exact->method, method);
    EXPECT_NEAR(exact->link.latency_seconds, 2e-5, 1e-9);
    EXPECT_NEAR(exact->link.bytes_per_second, 3e9, 1e4);
    EXPECT_NEAR(exact->residual, 0, 1e-9);
    const auto noisy = fit_link(samples_of(method, {2e-5, 3e9}, 0.1));
    ASSERT_TRUE(noisy);
    EXPECT_EQ(noisy->method, method);
    EXPECT_NEAR(noisy->link.latency_seconds, 2e-5, 2e-6);
    EXPECT_NEAR(noisy->link.bytes_per_second, 3e9, 3e8);
    EXPECT_NEAR(noisy->residual, 0.1, 0.03);
  }
}

TEST(CostModel, FitOfImpossibleSamplesIsEmpty) {
  EXPECT_FALSE(fit_link(std::vector<Sample>{}));
  EXPECT_FALSE(fit_link(std::vector<Sample>{{2, 1e3, 1e-3}}));
  EXPECT_FALSE(fit_link(std::vector<Sample>{{2, 1e3, 1e-3}, {2, 1e3, 2e-3}}));
  EXPECT_FALSE(fit_link(std::vector<Sample>{{2, 1e3, 1e-3}, {2, 1e6, 0}}));
  EXPECT_FALSE(fit_link(std::vector<Sample>{{1, 1e3, 1e-3}, {1, 1e6, 1e-2}}));
  // Longer sums in less time: the bandwidth would be negative.
  EXPECT_FALSE(fit_link(std::vector<Sample>{{2, 1e3, 1e-3}, {2, 1e6, 1e-6}}));
  // A latency below 0 would fit better: it is 0.
  const auto fit = fit_link(std::vector<Sample>{{2, 1e6, 1e-4}, {2, 1e7, 2e-3}});
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->link.latency_seconds, 0);
}

}  // namespace
}  // namespace bertha::plan
