#include "core/helper_balance.h"

#include <gtest/gtest.h>

namespace bertha {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Loop = HelperBalance::Loop;

class HelperBalanceTest : public testing::Test {
 protected:
  HelperBalance balance_;
  HelperBalance::Clock::time_point now_{};

  bool rests() {
    return balance_.rests([this] { return now_; });
  }
  /// Lets the time pass to the end of a rest; returns how long that took.
  milliseconds rest() {
    const auto begin = now_;
    while (rests()) now_ += milliseconds(1);
    return std::chrono::duration_cast<milliseconds>(now_ - begin);
  }
  void add(int count, const Loop& loop) {
    for (int i = 0; i < count; ++i) balance_.add(loop, now_);
  }
  /// Adds lossy loops until the caller rests; returns how many it took.
  int loops_until_rest() {
    for (int count = 1; count < 1000; ++count) {
      add(1, kLoss);
      if (rests()) return count;
    }
    return -1;
  }
  static constexpr Loop kLoss = {
      .waited = milliseconds(3), .helped = microseconds(100), .stalled = milliseconds(3)};
};

TEST_F(HelperBalanceTest, ShortWaitsAreNotMeasured) {
  add(100'000, {.waited = microseconds(100)});
  EXPECT_FALSE(balance_.measures());
  EXPECT_FALSE(rests());
}

TEST_F(HelperBalanceTest, LongWaitIsMeasuredAndLossesLeadToARest) {
  add(1, {.waited = milliseconds(3)});
  EXPECT_TRUE(balance_.measures());
  EXPECT_FALSE(rests());
  EXPECT_EQ(loops_until_rest(), 1);
}

TEST_F(HelperBalanceTest, WaitForAHelperThatWorksIsNoLoss) {
  add(2, {.waited = milliseconds(3)});
  add(1000, {.waited = milliseconds(50), .helped = milliseconds(50), .stalled = microseconds(10)});
  EXPECT_FALSE(rests());
}

TEST_F(HelperBalanceTest, HelpersThatSaveMoreThanTheyLoseGoOn) {
  add(1, {.waited = milliseconds(3)});
  for (int i = 0; i < 1000; ++i) {
    add(1, {.waited = milliseconds(1), .helped = microseconds(10), .stalled = milliseconds(1)});
    add(3, {.waited = microseconds(5), .helped = microseconds(500)});
    ASSERT_FALSE(rests()) << i;
  }
}

TEST_F(HelperBalanceTest, RestsGrowWhileTrialsFailAndShrinkAfterSuccess) {
  add(1, {.waited = milliseconds(3)});
  for (const int expected : {20, 40, 80, 160, 320, 320}) {
    EXPECT_EQ(loops_until_rest(), 1);
    EXPECT_EQ(rest(), milliseconds(expected));
  }
  add(100, {.waited = microseconds(5), .helped = microseconds(500)});
  EXPECT_FALSE(balance_.measures());
  add(1, {.waited = milliseconds(3)});
  EXPECT_EQ(loops_until_rest(), 1);
  EXPECT_EQ(rest(), milliseconds(20));
}

}  // namespace
}  // namespace bertha
