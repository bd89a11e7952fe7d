#include "runlog/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace bertha::runlog {
namespace {

ProgressState state() {
  ProgressState state;
  state.label = "phase 1";
  state.step = 512;
  state.total_steps = 1000;
  state.loss = 6.0312;
  state.tokens_per_second = 12345;
  state.sequences_per_second = 98.4;
  state.seconds_left = 125;
  return state;
}

TEST(ProgressFormat, Durations) {
  EXPECT_EQ(format_duration(0), "0 s");
  EXPECT_EQ(format_duration(59.6), "1 min 0 s");
  EXPECT_EQ(format_duration(125), "2 min 5 s");
  EXPECT_EQ(format_duration(12000), "3 h 20 min");
  EXPECT_EQ(format_duration(187200), "2 d 4 h");
  EXPECT_EQ(format_duration(-3), "0 s");
  EXPECT_NE(format_duration(std::numeric_limits<double>::infinity()), "");
}

TEST(ProgressFormat, RatesAndCounts) {
  EXPECT_EQ(format_rate(1.234), "1.23");
  EXPECT_EQ(format_rate(98.24), "98.2");
  EXPECT_EQ(format_rate(950), "950");
  EXPECT_EQ(format_rate(999.7), "1.00k");
  EXPECT_EQ(format_rate(12345), "12.3k");
  EXPECT_EQ(format_rate(4.56e6), "4.56M");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(7038), "7,038");
  EXPECT_EQ(format_count(-123456), "-123,456");
  EXPECT_EQ(format_count(1234567), "1,234,567");
}

TEST(TerminalLine, ShowsAllWhereThereIsRoom) {
  EXPECT_EQ(terminal_line(state(), Terminal{}, 200),
            "phase 1  ############............  512/1,000  51.2 %  loss 6.031  12.3k tokens/s  "
            "98.4 seq/s  2 min 5 s left");
}

TEST(TerminalLine, NeverWiderThanTheTerminal) {
  for (int columns = 0; columns < 120; ++columns) {
    EXPECT_LE(terminal_line(state(), Terminal{}, columns).size(), static_cast<size_t>(columns));
  }
  EXPECT_EQ(terminal_line(state(), Terminal{}, 40), "512/1,000  loss 6.031  2 min 5 s left");
  EXPECT_EQ(terminal_line(state(), Terminal{}, 22), "512/1,000  loss 6.031");
}

TEST(TerminalLine, ColourOnlyWhereItIsWelcome) {
  Terminal terminal;
  EXPECT_EQ(terminal_line(state(), terminal, 200).find('\x1b'), std::string::npos);
  terminal.color = true;
  EXPECT_NE(terminal_line(state(), terminal, 200).find("\x1b[36m"), std::string::npos);
}

TEST(PlainLine, SaysTheSameInWords) {
  EXPECT_EQ(plain_line(state()),
            "phase 1: step 512 of 1000 (51.2 %), loss 6.0312, 12345 tokens/s, 98.4 sequences/s, "
            "2 min 5 s left");
}

class ProgressTest : public testing::Test {
 protected:
  Progress make(bool interactive, int64_t first_step, int64_t total_steps) {
    Terminal terminal;
    terminal.interactive = interactive;
    terminal.columns = [] { return 200; };
    return Progress(
        "run", first_step, total_steps, terminal, [this](std::string_view text) { out_ += text; },
        [this] { return now_; });
  }
  void wait(double seconds) {
    now_ += std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(seconds));
  }

  std::chrono::steady_clock::time_point now_;
  std::string out_;
};

TEST_F(ProgressTest, PlainLinesComeAtTheFirstStepThenAtIntervals) {
  Progress progress = make(false, 0, 100);
  for (int step = 1; step <= 100; ++step) {
    wait(1);
    progress.update(step, 2.5, 640, 8);
  }
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 4) << out_;  // steps 1, 31, 61, 91
  EXPECT_NE(out_.find("run: step 31 of 100 (31.0 %), loss 2.5000, 640 tokens/s, 8.0 sequences/s, "
                      "1 min 9 s left\n"),
            std::string::npos)
      << out_;
  progress.finish();
  EXPECT_TRUE(out_.ends_with(", 0 s left\n")) << out_;
}

TEST_F(ProgressTest, RatesFollowAChangeAndCountThisRunsStepsOnly) {
  Progress progress = make(true, 900, 1000);
  for (int step = 901; step <= 910; ++step) {
    wait(10);
    progress.update(step, 1, 1000, 10);
  }
  EXPECT_NE(out_.find("100 tokens/s  1.00 seq/s  15 min 0 s left"), std::string::npos) << out_;
  for (int step = 911; step <= 990; ++step) {
    wait(1);
    progress.update(step, 1, 1000, 10);
  }
  const std::string last = out_.substr(out_.rfind('\r'));
  EXPECT_NE(last.find("10 s left"), std::string::npos) << last;
}

TEST_F(ProgressTest, RedrawsInPlaceAndClears) {
  Progress progress = make(true, 0, 10);
  wait(1);
  progress.update(1, 1, 1, 1);
  EXPECT_TRUE(out_.starts_with("\r")) << out_;
  EXPECT_TRUE(out_.ends_with("\x1b[K")) << out_;
  const std::string drawn = out_;
  wait(0.01);
  progress.update(2, 1, 1, 1);
  EXPECT_EQ(out_, drawn) << "redrawn ten times a second at most";
  progress.clear();
  EXPECT_EQ(out_, drawn + "\r\x1b[K");
  progress.clear();
  EXPECT_EQ(out_, drawn + "\r\x1b[K") << "nothing is left to clear";
  progress.finish();
  EXPECT_NE(out_.find("2/10"), std::string::npos) << "the last state is shown at the end";
  EXPECT_TRUE(out_.ends_with("\n"));
}

}  // namespace
}  // namespace bertha::runlog
