#include "runlog/training_progress.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bertha::runlog {
namespace {

TrainingStatus status() {
  return {.label = "phase 1",
          .step = 512,
          .total_steps = 1000,
          .loss = 6.0312,
          .rate = 3.125e-5,
          .evaluation = "held-out 6.112",
          .tokens_per_second = 12345,
          .sequences_per_second = 98.4,
          .seconds_left = 125};
}

std::string terminal_line(Terminal terminal, int columns) {
  terminal.columns = [columns] { return columns; };
  return fit_to_columns(terminal_parts(status(), terminal), columns);
}

TEST(TerminalLine, WideTerminalShowsAllParts) {
  EXPECT_EQ(terminal_line(Terminal{}, 200),
            "phase 1  ############............  512/1,000  51.2 %  loss 6.031  lr 3.1e-05  "
            "12.3k tokens/s  98.4 seq/s  2 min 5 s left  held-out 6.112");
}

TEST(TerminalLine, NarrowTerminalHasAShorterBarAndTheImportantParts) {
  EXPECT_EQ(terminal_line(Terminal{}, 80),
            "phase 1  512/1,000  loss 6.031  12.3k tokens/s  2 min 5 s left  held-out 6.112");
  EXPECT_EQ(terminal_line(Terminal{}, 50), "phase 1  512/1,000  loss 6.031  2 min 5 s left");
}

TEST(TerminalLine, LineIsNeverWiderThanTheTerminal) {
  for (int columns = 0; columns < 120; ++columns) {
    EXPECT_LE(terminal_line(Terminal{}, columns).size(), static_cast<size_t>(columns));
  }
  EXPECT_EQ(terminal_line(Terminal{}, 40), "512/1,000  loss 6.031  2 min 5 s left");
  EXPECT_EQ(terminal_line(Terminal{}, 22), "512/1,000  loss 6.031");
}

TEST(TerminalLine, ColourIsUsedOnlyWhereTheTerminalHasIt) {
  Terminal terminal;
  EXPECT_EQ(terminal_line(terminal, 200).find('\x1b'), std::string::npos);
  terminal.color = true;
  EXPECT_NE(terminal_line(terminal, 200).find("\x1b[36m"), std::string::npos);
}

TEST(PlainLine, FileGetsTheSameInWords) {
  EXPECT_EQ(plain_line(status()),
            "phase 1: step 512 of 1000 (51.2 %), loss 6.0312, 12345 tokens/s, 98.4 sequences/s, "
            "2 min 5 s left");
}

class TrainingProgressTest : public testing::Test {
 protected:
  TrainingProgress make(bool interactive, int64_t first_step, int64_t total_steps) {
    Terminal terminal;
    terminal.interactive = interactive;
    terminal.columns = [] { return 200; };
    StatusLine line(terminal, [this](std::string_view text) { out_ += text; });
    return {"run", first_step, total_steps, std::move(line), [this] { return now_; }};
  }
  void wait(double seconds) {
    now_ += std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(seconds));
  }

  SteadyTime now_;
  std::string out_;
};

TEST_F(TrainingProgressTest, FileGetsALineAtTheFirstStepAndThenEvery30Seconds) {
  TrainingProgress progress = make(false, 0, 100);
  for (int step = 1; step <= 100; ++step) {
    wait(1);
    progress.update({.step = step, .loss = 2.5, .tokens = 640, .sequences = 8});
  }
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 4) << out_;  // steps 1, 31, 61, 91
  EXPECT_NE(out_.find("run: step 31 of 100 (31.0 %), loss 2.5000, 640 tokens/s, 8.0 sequences/s, "
                      "1 min 9 s left\n"),
            std::string::npos)
      << out_;
  progress.finish();
  EXPECT_TRUE(out_.ends_with(", 0 s left\n")) << out_;
}

TEST_F(TrainingProgressTest, RatesFollowAChangeAndCountStepsOfThisStartAlone) {
  TrainingProgress progress = make(true, 900, 1000);
  for (int step = 901; step <= 910; ++step) {
    wait(10);
    progress.update({.step = step, .loss = 1, .tokens = 1000, .sequences = 10});
  }
  EXPECT_NE(out_.find("100 tokens/s  1.00 seq/s  15 min 0 s left"), std::string::npos) << out_;
  for (int step = 911; step <= 990; ++step) {
    wait(1);
    progress.update({.step = step, .loss = 1, .tokens = 1000, .sequences = 10});
  }
  const std::string last = out_.substr(out_.rfind('\r'));
  EXPECT_NE(last.find("10 s left"), std::string::npos) << last;
}

TEST_F(TrainingProgressTest, TerminalLineIsReplacedAndMakesRoomForMessages) {
  TrainingProgress progress = make(true, 0, 10);
  wait(1);
  progress.update({.step = 1, .loss = 1, .tokens = 1, .sequences = 1});
  EXPECT_TRUE(out_.starts_with("\r")) << out_;
  EXPECT_TRUE(out_.ends_with("\x1b[K")) << out_;
  const std::string drawn = out_;
  wait(0.01);
  progress.update({.step = 2, .loss = 1, .tokens = 1, .sequences = 1});
  EXPECT_EQ(out_, drawn) << "redrawn ten times a second at most";
  std::string seen;
  print_above_status_line([&] { seen = out_; });
  EXPECT_EQ(seen, drawn + "\r\x1b[K") << "the line is gone while a message is printed";
  EXPECT_EQ(out_, seen + drawn) << "and is back after it";
  progress.finish();
  EXPECT_NE(out_.find("2/10"), std::string::npos) << "the last state is shown at the end";
  EXPECT_TRUE(out_.ends_with("\n"));
}

}  // namespace
}  // namespace bertha::runlog
