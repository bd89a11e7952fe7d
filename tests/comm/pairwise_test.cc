#include "comm/pairwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "backend/cpu/cpu_view.h"
#include "comm/gradient_tree.h"
#include "support/host.h"

namespace bertha::comm {
namespace {

constexpr int64_t kSize = 257;

/// Gradients of micro-batches whose sum depends on the order of additions.
std::vector<std::vector<float>> micro_batches(int64_t count) {
  PhiloxStream stream(7, 0);
  std::vector<std::vector<float>> all(static_cast<size_t>(count));
  for (auto& values : all) {
    for (int64_t i = 0; i < kSize; ++i) {
      values.push_back(static_cast<float>(stream.below(1 << 24)) * 1e-3F - 8000.0F);
    }
  }
  return all;
}

std::vector<float> left_to_right(const std::vector<std::vector<float>>& all) {
  std::vector<float> sum = all[0];
  for (size_t i = 1; i < all.size(); ++i) add_to(sum.data(), all[i].data(), kSize);
  return sum;
}

/// The sum that `ranks` ranks compute: each sums a run of micro-batches, then the tree adds the
/// ranks.
std::vector<float> all_reduce_sums(const std::vector<std::vector<float>>& all, int64_t ranks) {
  const int64_t accumulation = std::ssize(all) / ranks;
  std::vector<float> pieces;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    test::Host host;
    GradientTree tree(host.device(), kSize, accumulation);
    const Tensor gradients = host.filled({kSize}, 0);
    for (int64_t i = 0; i < accumulation; ++i) {
      add_to(cpu::data<float>(inout(gradients)),
             all[static_cast<size_t>(rank * accumulation + i)].data(), kSize);
      tree.fold(host.device(), inout(gradients));
    }
    const std::vector<float> sum = test::Host::values(gradients);
    pieces.insert(pieces.end(), sum.begin(), sum.end());
  }
  sum_by_tree(pieces.data(), ranks, kSize);
  pieces.resize(kSize);
  return pieces;
}

TEST(Pairwise, PowersOfTwoOfRanksGiveTheSameBits) {
  for (const int64_t count : {8, 12, 40}) {
    const auto all = micro_batches(count);
    const std::vector<float> alone = all_reduce_sums(all, 1);
    EXPECT_EQ(all_reduce_sums(all, 2), alone) << count;
    EXPECT_EQ(all_reduce_sums(all, 4), alone) << count;
  }
}

TEST(Pairwise, TestValuesDependOnTheOrder) {
  const auto all = micro_batches(8);
  EXPECT_NE(all_reduce_sums(all, 1), left_to_right(all));
}

TEST(Pairwise, OddCountsAreSummedLeftToRight) {
  const auto all = micro_batches(7);
  EXPECT_EQ(all_reduce_sums(all, 1), left_to_right(all));
  EXPECT_EQ(all_reduce_sums(all, 7), left_to_right(all));
  EXPECT_EQ(odd_part(40), 5);
  EXPECT_EQ(odd_part(1), 1);
}

TEST(GradientTree, WorksAfterACompleteAndAfterADroppedStep) {
  const auto all = micro_batches(4);
  test::Host host;
  GradientTree tree(host.device(), kSize, 4);
  const Tensor gradients = host.filled({kSize}, 0);
  const auto feed = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      add_to(cpu::data<float>(inout(gradients)), all[i].data(), kSize);
      tree.fold(host.device(), inout(gradients));
    }
  };
  feed(4);
  const std::vector<float> first = test::Host::values(gradients);
  host.device().zero(out(gradients));
  feed(3);
  tree.reset();
  host.device().zero(out(gradients));
  feed(4);
  EXPECT_EQ(test::Host::values(gradients), first);
}

TEST(GradientTree, LastMicroBatchInPiecesGivesTheSameSum) {
  for (const int64_t accumulation : {1, 4, 6}) {
    const auto all = micro_batches(accumulation);
    test::Host host;
    GradientTree tree(host.device(), kSize, accumulation);
    const Tensor gradients = host.filled({kSize}, 0);
    for (int64_t i = 0; i < accumulation; ++i) {
      add_to(cpu::data<float>(inout(gradients)), all[static_cast<size_t>(i)].data(), kSize);
      if (i + 1 < accumulation) tree.fold(host.device(), inout(gradients));
    }
    for (const int64_t begin : {kSize / 2, int64_t{0}}) {
      const int64_t count = begin == 0 ? kSize / 2 : kSize - kSize / 2;
      tree.fold_last(inout(gradients.rows(begin, count)), begin);
    }
    EXPECT_EQ(test::Host::values(gradients), all_reduce_sums(all, 1)) << accumulation;
  }
}

}  // namespace
}  // namespace bertha::comm
