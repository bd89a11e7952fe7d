#include "runlog/work_meter.h"

#include <gtest/gtest.h>

namespace bertha::runlog {
namespace {

class WorkMeterTest : public testing::Test {
 protected:
  StatusLine line(bool interactive, int columns) {
    Terminal terminal;
    terminal.interactive = interactive;
    terminal.columns = [columns] { return columns; };
    return {terminal, [this](std::string_view text) { out_ += text; }};
  }
  SteadyClock clock() {
    return [this] { return now_; };
  }
  void wait(int seconds) { now_ += std::chrono::seconds(seconds); }

  SteadyTime now_;
  std::string out_;
};

TEST_F(WorkMeterTest, BytesAreShownWithTheirRateAndTheTimeLeft) {
  WorkMeter meter("shard", "", line(true, 200), clock());
  wait(10);
  meter.update(1'000'000'000, 5'000'000'000);
  EXPECT_EQ(out_, "\rshard  1.00 GB of 5.00 GB  20.0 %  100.00 MB/s  40 s left\x1b[K");
}

TEST_F(WorkMeterTest, CountsAreShownWithTheirUnit) {
  WorkMeter meter("verify", "files", line(true, 200), clock());
  wait(10);
  meter.update(1500, 3000);
  EXPECT_EQ(out_, "\rverify  1,500 of 3,000 files  50.0 %  10 s left\x1b[K");
}

TEST_F(WorkMeterTest, UnknownTotalLeavesOutFractionAndTimeLeft) {
  WorkMeter meter("verify", "files", line(true, 200), clock());
  wait(10);
  meter.update(1500, 0);
  EXPECT_EQ(out_, "\rverify  1,500 files\x1b[K");
}

TEST_F(WorkMeterTest, WorkOfEarlierRunsDoesNotCountInTheRate) {
  WorkMeter meter("download", "", line(true, 200), clock());
  wait(10);
  meter.update(3000, 4000, 2000);
  EXPECT_NE(out_.find("75.0 %  100 B/s  10 s left"), std::string::npos) << out_;
}

TEST_F(WorkMeterTest, NarrowTerminalKeepsTheAmounts) {
  WorkMeter meter("verify", "files", line(true, 26), clock());
  wait(10);
  meter.update(1500, 3000);
  EXPECT_EQ(out_, "\r1,500 of 3,000 files\x1b[K");
}

TEST_F(WorkMeterTest, FileGetsItsFirstLineAfter30Seconds) {
  WorkMeter meter("verify", "files", line(false, 26), clock());
  wait(29);
  meter.update(1, 3000);
  EXPECT_EQ(out_, "");
  wait(1);
  meter.update(1500, 3000);
  EXPECT_EQ(out_, "verify  1,500 of 3,000 files  50.0 %  30 s left\n");
}

TEST_F(WorkMeterTest, DestructorRemovesTheLineFromTheTerminal) {
  {
    WorkMeter meter("verify", "files", line(true, 200), clock());
    meter.update(1, 0);
    out_.clear();
  }
  EXPECT_EQ(out_, "\r\x1b[K");
}

}  // namespace
}  // namespace bertha::runlog
