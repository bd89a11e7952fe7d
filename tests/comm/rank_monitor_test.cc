#include "comm/rank_monitor.h"

#include <gtest/gtest.h>

namespace bertha::comm {
namespace {

constexpr double kSilence = 60;

Beat beat(int64_t step, int64_t waits, Stage stage, bool waits_now) {
  Beat beat;
  beat.step = step;
  beat.waits = waits;
  beat.stage = static_cast<uint8_t>(stage);
  beat.waits_now = waits_now;
  return beat;
}

RankMonitor monitor_of_two() {
  return RankMonitor({"north", "south"}, {0, 1}, 0);
}

TEST(RankMonitor, SilentRankIsNamedWithHostStepAndStage) {
  RankMonitor monitor = monitor_of_two();
  monitor.take(0, beat(17, 40, Stage::kGradients, true), 99);
  monitor.take(1, beat(17, 39, Stage::kCompute, false), 40);
  EXPECT_FALSE(monitor.verdict(99.9, kSilence));
  EXPECT_EQ(
      monitor.verdict(100, kSilence),
      "rank 1 on south has not answered for 60 s; its last heartbeat was at step 17, in its own "
      "computation");
}

TEST(RankMonitor, OfSeveralSilentRanksTheOneWithTheOldestBeatIsNamed) {
  RankMonitor monitor = monitor_of_two();
  monitor.take(0, beat(17, 40, Stage::kGradients, true), 40.5);
  monitor.take(1, beat(17, 39, Stage::kGradients, true), 40);
  EXPECT_TRUE(monitor.verdict(101, kSilence).value_or("").starts_with("rank 1 on south"));
}

TEST(RankMonitor, RankWithoutAnyBeatIsSilentFromTheStart) {
  RankMonitor monitor = monitor_of_two();
  monitor.take(0, beat(0, 1, Stage::kStart, true), 59);
  EXPECT_TRUE(monitor.verdict(61, kSilence).value_or("").starts_with("rank 1 on south"));
}

TEST(RankMonitor, LongComputationAndSavingAreAccepted) {
  RankMonitor monitor = monitor_of_two();
  for (int second = 0; second < 1000; ++second) {
    monitor.take(0, beat(5, 9, Stage::kSave, false), second);
    monitor.take(1, beat(5, 9, Stage::kBarrier, true), second);
    ASSERT_FALSE(monitor.verdict(second, kSilence)) << second;
  }
}

TEST(RankMonitor, AllRanksWaitingWithoutProgressIsReported) {
  RankMonitor monitor = monitor_of_two();
  monitor.take(0, beat(6, 12, Stage::kGradients, true), 10);
  monitor.take(1, beat(6, 11, Stage::kMetrics, true), 20);
  monitor.take(0, beat(6, 12, Stage::kGradients, true), 79);
  monitor.take(1, beat(6, 11, Stage::kMetrics, true), 79);
  EXPECT_FALSE(monitor.verdict(79, kSilence));
  monitor.take(0, beat(6, 12, Stage::kGradients, true), 80);
  monitor.take(1, beat(6, 11, Stage::kMetrics, true), 80);
  EXPECT_EQ(monitor.verdict(80, kSilence),
            "all ranks have waited for each other for 60 s; furthest behind is rank 1 on south, at "
            "step 6, in the sum of losses");
}

TEST(RankMonitor, RankThatHasLeftMayBeSilent) {
  RankMonitor monitor = monitor_of_two();
  Beat last = beat(100, 50, Stage::kEnd, true);
  last.left = true;
  monitor.take(1, last, 1);
  monitor.take(0, beat(100, 50, Stage::kSave, false), 100);
  EXPECT_TRUE(monitor.left(1));
  EXPECT_FALSE(monitor.verdict(100, kSilence));
}

}  // namespace
}  // namespace bertha::comm
