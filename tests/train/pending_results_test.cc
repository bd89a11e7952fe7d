#include "train/pending_results.h"

#include <gtest/gtest.h>

#include "support/host.h"

namespace bertha::train {
namespace {

using test::Host;

TEST(PendingResults, RowsAreTakenInOrderAndOnce) {
  Host host;
  PendingResults pending(host.device(), 2, 3);
  EXPECT_TRUE(pending.take().empty());
  for (const float base : {10.0F, 20.0F}) {
    EXPECT_FALSE(pending.full());
    pending.add(host.tensor({2}, {base, base + 1}), 0);
    pending.add(host.tensor({1}, {base + 2}), 2);
    pending.end_row();
  }
  EXPECT_TRUE(pending.full());
  const std::span<const float> values = pending.take();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{10, 11, 12, 20, 21, 22}));
  EXPECT_TRUE(pending.take().empty());
}

TEST(PendingResults, RowWithoutAnEndIsKept) {
  Host host;
  PendingResults pending(host.device(), 1, 1);
  pending.add(host.tensor({1}, {5}), 0);
  EXPECT_TRUE(pending.take().empty());
  pending.end_row();
  EXPECT_EQ(pending.take().front(), 5);
}

}  // namespace
}  // namespace bertha::train
