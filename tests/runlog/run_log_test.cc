#include "runlog/run_log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "support/files.h"

namespace bertha::runlog {
namespace {

constexpr const char* kPretrainingHeader =
    "phase\tstep\tset\tmlm_loss\tnsp_loss\tmlm_accuracy\tnsp_accuracy\tlearning_rate\n";

PretrainingRecord record(int64_t step) {
  return {.step = step,
          .masked = 10.5,
          .next_sentence = 0.25,
          .masked_accuracy = 0.125,
          .next_sentence_accuracy = 0.5,
          .rate = 1e-4,
          .gradient_norm = 2};
}

class RunLogTest : public testing::Test {
 protected:
  template <typename Log>
  void open(Log& log, int64_t last_record = 0) {
    log.open_dllogger(file("dllogger.json"),
                      [this](const std::string& line) { printed_ += line + "\n"; });
    log.open_training({.folder = folder_.path().string(),
                       .last_record = last_record,
                       .tensorboard_dir = file("events"),
                       .status_line = false});
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string losses() const { return test::read_all(file("losses.tsv")); }
  /// The one event file.
  std::string events() const {
    return test::read_all(std::filesystem::directory_iterator(file("events"))->path());
  }

  test::TemporaryFolder folder_;
  std::string printed_;
};

// /dev/full refuses every byte, as a full disk does.
TEST_F(RunLogTest, AFullDiskEndsTheLogWithOneWarningAndNotTheTraining) {
  std::ostringstream warnings;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(warnings)));
  PretrainingLog log;
  log.open_dllogger("/dev/full", [this](const std::string& line) { printed_ += line + "\n"; });
  log.parameter("SEED", 1);
  log.averages(0, 1, {{"average_loss", 1.0}});
  spdlog::set_default_logger(before);
  const std::string said = warnings.str();
  EXPECT_NE(said.find("/dev/full: cannot write: No space left on device"), std::string::npos)
      << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(printed_.find("SEED : 1"), std::string::npos) << printed_;
  EXPECT_NE(printed_.find("average_loss : 1.0"), std::string::npos) << printed_;
}

TEST_F(RunLogTest, APictureThatCannotBeWrittenLeavesTheTable) {
  PretrainingLog log;
  open(log);
  std::filesystem::create_directory(file("loss.svg"));
  log.step({.step = 1}, record(1));
  log.checkpoint(1);
  log.step({.step = 2}, record(2));
  log.finish();
  EXPECT_NE(losses().find("\n1\t2\t"), std::string::npos) << losses();
}

TEST_F(RunLogTest, LogThatIsNotOpenedWritesNothing) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  PretrainingLog log;
  log.parameter("SEED", 1);
  log.step({.step = 1}, record(1));
  log.averages(0, 1, {{"average_loss", 1.0}});
  log.evaluation(0, 1, record(1));
  log.checkpoint(1);
  log.finish();
  log.summary({{"final_loss", 1.0}});
  std::filesystem::current_path(before);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(RunLogTest, StepGoesToLossesAndTensorBoard) {
  PretrainingLog log;
  open(log);
  log.step({.step = 7}, record(7));
  EXPECT_EQ(losses(),
            std::string(kPretrainingHeader) + "1\t7\ttrain\t10.5\t0.25\t0.125\t0.5\t0.0001\n");
  for (const char* tag : {"loss/total", "loss/mlm", "loss/nsp", "accuracy/mlm", "accuracy/nsp",
                          "optimizer/learning_rate", "optimizer/gradient_norm"}) {
    EXPECT_NE(events().find(tag), std::string::npos) << tag;
  }
  EXPECT_EQ(printed_, "");
}

TEST_F(RunLogTest, EvaluationGoesToAllFiles) {
  PretrainingLog log;
  open(log);
  PretrainingRecord held_out = record(7);
  held_out.held_out = true;
  held_out.rate = 0;
  log.evaluation(1, 7, held_out);
  EXPECT_EQ(losses(),
            std::string(kPretrainingHeader) + "1\t7\theld-out\t10.5\t0.25\t0.125\t0.5\t0\n");
  EXPECT_NE(events().find("held_out/mlm_loss"), std::string::npos);
  EXPECT_NE(printed_.find("Training Epoch: 1 Training Iteration: 7  eval_mlm_loss : 10.5  "
                          "eval_mlm_accuracy : 0.125  eval_nsp_loss : 0.25  "
                          "eval_nsp_accuracy : 0.5"),
            std::string::npos)
      << printed_;
  EXPECT_TRUE(std::filesystem::exists(file("loss.svg")));
}

TEST_F(RunLogTest, CheckpointIsMarkedAndTheLossesAreDrawn) {
  PretrainingLog log;
  open(log);
  log.step({.step = 7}, record(7));
  log.checkpoint(7);
  EXPECT_NE(printed_.find("PARAMETER checkpoint_step : 7"), std::string::npos) << printed_;
  EXPECT_NE(test::read_all(file("loss.svg")).find(folder_.path().string()), std::string::npos)
      << "the subtitle is the folder";
}

TEST_F(RunLogTest, RowsPastTheResumedStepAndFaultyRowsAreDropped) {
  {
    PretrainingLog log;
    open(log);
    for (int64_t step = 1; step <= 3; ++step) log.step({.step = step}, record(step));
  }
  std::ofstream(file("losses.tsv"), std::ios::app) << "not a row\n";
  PretrainingLog log;
  open(log, 2);
  log.step({.step = 3}, record(9));
  const std::string end = "\ttrain\t10.5\t0.25\t0.125\t0.5\t0.0001\n";
  EXPECT_EQ(losses(), kPretrainingHeader + ("1\t1" + end) + "1\t2" + end + "1\t9" + end);
}

TEST_F(RunLogTest, FineTuningHasARowForEachScore) {
  FineTuningLog log;
  open(log);
  log.step({.step = 5}, {.step = 5, .loss = 1.5, .rate = 3e-5});
  log.evaluation(0, 5, {.step = 5, .loss = {}, .scores = {{"exact_match", 80.5}, {"F1", 88.25}}});
  EXPECT_EQ(losses(),
            "step\twhat\tvalue\tlearning_rate\n5\tloss\t1.5\t3e-05\n"
            "5\texact_match\t80.5\t0\n5\tF1\t88.25\t0\n");
  EXPECT_NE(printed_.find("eval_exact_match : 80.5  eval_F1 : 88.25"), std::string::npos);
  EXPECT_NE(events().find("evaluation/F1"), std::string::npos);
}

TEST_F(RunLogTest, ResumedFineTuningDrawsTheLastScoreOfAnEvaluation) {
  {
    FineTuningLog log;
    open(log);
    log.step({.step = 5}, {.step = 5, .loss = 1.5, .rate = 3e-5});
    log.evaluation(0, 5, {.step = 5, .loss = {}, .scores = {{"exact_match", 80.5}, {"F1", 88.2}}});
  }
  const std::string picture = test::read_all(file("loss.svg"));
  EXPECT_NE(picture.find(">88.2<"), std::string::npos);
  EXPECT_NE(picture.find(">F1, held out<"), std::string::npos);
  EXPECT_EQ(picture.find("exact_match"), std::string::npos);
  FineTuningLog log;
  open(log, 5);
  log.finish();
  EXPECT_EQ(test::read_all(file("loss.svg")), picture);
}

TEST_F(RunLogTest, FineTuningKeepsTheCurveOfAPreTrainingInTheSameFolder) {
  {
    PretrainingLog log;
    open(log);
    log.step({.step = 7}, record(7));
    log.finish();
  }
  const std::string curve = losses();
  const std::string records = test::read_all(file("dllogger.json"));
  FineTuningLog log;
  log.open_dllogger(file("dllogger.json"), {});
  log.open_training(
      {.folder = folder_.path().string(), .tensorboard_dir = "", .status_line = false});
  log.parameter("SEED", 1);
  log.step({.step = 1}, {.step = 1, .loss = 2.5});
  log.finish();
  EXPECT_EQ(losses(), curve);
  EXPECT_TRUE(test::read_all(file("dllogger.json")).starts_with(records));
  EXPECT_NE(test::read_all(file("fine_tuning_losses.tsv")).find("2.5"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(file("fine_tuning_loss.svg")));
  EXPECT_EQ(log.history_files(),
            (std::vector<std::string>{file("fine_tuning_losses.tsv"), file("fine_tuning_loss.svg"),
                                      file("fine_tuning_report.html")}));
}

TEST_F(RunLogTest, TheReportHasThePictureTheEvaluationsAndWhatTheRunSays) {
  FineTuningLog log;
  open(log);
  log.step({.step = 5}, {.step = 5, .loss = 1.5, .rate = 3e-5});
  log.evaluation(0, 5, {.step = 5, .loss = {}, .scores = {{"exact_match", 80.5}, {"F1", 88.2}}});
  log.report({.title = "Fine-tuning on <SQuAD>",
              .subtitle = "",
              .lines = {"data: a & b"},
              .picture = "",
              .tables = {{.title = "Settings", .header = {}, .rows = {{"seed", "42"}}},
                         {.title = "Empty", .header = {"x"}, .rows = {}}}});
  const std::string page = test::read_all(file("report.html"));
  for (const char* text : {"<h1>Fine-tuning on &lt;SQuAD&gt;</h1>", "<p>data: a &amp; b</p>",
                           "<svg ", "<h2>Evaluations", "<td>F1</td><td>88.2000</td>",
                           "<td>exact_match</td><td>80.5000</td>", "<td>seed</td><td>42</td>"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text << " in\n" << page;
  }
  EXPECT_EQ(page.find("Empty"), std::string::npos) << "a table without rows";
  // The page needs no network: its one address is the name of SVG's namespace.
  for (const char* outside : {"<script", "<link", "@import", "url(", "src="}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
}

}  // namespace
}  // namespace bertha::runlog
