#include "prepare/rank_work.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bertha::prepare {
namespace {

/// Rank 1 of three; the others have the same counts.
class SecondOfThree : public comm::Communicator {
 public:
  int64_t rank() const override { return 1; }
  int64_t ranks() const override { return 3; }
  void all_reduce(std::span<double> values, comm::Stage /*stage*/) override {
    for (double& value : values) value *= 3;
  }
};

TEST(RoundRobinIndices, RankGetsEveryIndexOfItsTurn) {
  const SecondOfThree world;
  EXPECT_EQ(round_robin_indices(8, world), (std::vector<size_t>{1, 4, 7}));
  EXPECT_EQ(round_robin_indices(2, world), (std::vector<size_t>{1}));
}

TEST(RoundRobinIndices, RankWithoutATurnGetsNothing) {
  EXPECT_TRUE(round_robin_indices(1, SecondOfThree()).empty());
  EXPECT_TRUE(round_robin_indices(0, comm::alone()).empty());
}

TEST(RoundRobinIndices, SingleRankGetsAll) {
  EXPECT_EQ(round_robin_indices(3, comm::alone()), (std::vector<size_t>{0, 1, 2}));
}

TEST(AllReduceCounts, EachCountBecomesItsSum) {
  SecondOfThree world;
  int64_t files = 2;
  int64_t bytes = int64_t{1} << 50;
  all_reduce_counts(world, {&files, &bytes});
  EXPECT_EQ(files, 6);
  EXPECT_EQ(bytes, int64_t{3} << 50);
}

}  // namespace
}  // namespace bertha::prepare
