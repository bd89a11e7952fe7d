#include "comm/communicator.h"

#include <gtest/gtest.h>

#include <array>

#include "support/host.h"

namespace bertha::comm {
namespace {

TEST(Communicator, CollectivesOfOneRankChangeNothing) {
  Communicator world;
  EXPECT_EQ(world.ranks(), 1);
  EXPECT_TRUE(world.leads());
  std::array<double, 2> values = {3, 4};
  world.all_reduce(values, Stage::kMetrics);
  EXPECT_EQ(values, (std::array<double, 2>{3, 4}));
  EXPECT_EQ(world.all_gather(9, Stage::kWeights), std::vector<uint64_t>{9});
  EXPECT_EQ(world.broadcast_text("a plan", Stage::kStart), "a plan");
  test::Host host;
  const Tensor gradients = host.tensor({3}, {1, 2, 3});
  world.all_reduce(inout(gradients), {});
  EXPECT_EQ(test::Host::values(gradients), (std::vector<float>{1, 2, 3}));
  std::array<float, 2> all{};
  world.gather(std::array{5.0F, 6.0F}, all, std::array<int64_t, 2>{0, 2}, Stage::kSave);
  EXPECT_EQ(all, (std::array{5.0F, 6.0F}));
}

TEST(Communicator, VoteOfOneRankIsTheAgreement) {
  Communicator world;
  world.vote(false);
  EXPECT_FALSE(world.stop_agreed());
  world.vote(true);
  EXPECT_TRUE(world.stop_agreed());
}

}  // namespace
}  // namespace bertha::comm
