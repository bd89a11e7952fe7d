#include "tasks/classification/classification_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "support/paths.h"

namespace bertha::tasks {
namespace {

// Expected values are computed by hand from the confusion matrix {{2, 1}, {1, 3}}.
TEST(ClassificationMetrics, TwoClassesGiveTheExpectedScores) {
  const std::vector<int32_t> predicted = {0, 0, 1, 0, 1, 1, 1};
  const std::vector<int32_t> truth = {0, 0, 0, 1, 1, 1, 1};
  const ClassificationScores scores = score_classes(predicted, truth, 2);
  EXPECT_DOUBLE_EQ(scores.accuracy, 5.0 / 7);
  EXPECT_DOUBLE_EQ(scores.f1, 2 * 3.0 / (4 + 4));
  EXPECT_NEAR(scores.matthews, (3.0 * 2 - 1 * 1) / 12, 1e-15);
}

TEST(ClassificationMetrics, ThreeClassesGiveTheExpectedScores) {
  const std::vector<int32_t> predicted = {0, 1, 2, 2, 1, 0};
  const std::vector<int32_t> truth = {0, 1, 2, 1, 1, 2};
  const ClassificationScores scores = score_classes(predicted, truth, 3);
  EXPECT_DOUBLE_EQ(scores.accuracy, 4.0 / 6);
  EXPECT_NEAR(scores.f1, (2.0 / 3 + 4.0 / 5 + 2.0 / 4) / 3, 1e-15);
  // (4 * 6 - (2*1 + 2*3 + 2*2)) / sqrt((36 - 12) * (36 - 14))
  EXPECT_NEAR(scores.matthews, 12 / std::sqrt(24.0 * 22.0), 1e-15);
}

TEST(ClassificationMetrics, ConstantPredictionScoresZero) {
  const std::vector<int32_t> predicted = {1, 1, 1};
  const std::vector<int32_t> truth = {1, 0, 1};
  EXPECT_EQ(score_classes(predicted, truth, 2).matthews, 0);
  EXPECT_EQ(score_classes(std::vector<int32_t>{0}, std::vector<int32_t>{0}, 2).f1, 0);
}

TEST(ClassificationMetrics, PearsonGivesTheExpectedCorrelation) {
  const std::vector<double> a = {1, 2, 3, 5};
  const std::vector<double> opposite = {-1, -2, -3, -5};
  const std::vector<double> flat = {2, 2, 2, 2};
  EXPECT_NEAR(pearson(a, a), 1, 1e-15);
  EXPECT_NEAR(pearson(a, opposite), -1, 1e-15);
  EXPECT_EQ(pearson(a, flat), 0);
  const std::vector<double> b = {2, 1, 4, 3};
  EXPECT_NEAR(pearson(a, b), 3.5 / std::sqrt(8.75 * 5), 1e-15);
}

TEST(ClassificationMetrics, EqualNumbersShareTheirRank) {
  const std::vector<double> a = {1, 2, 2, 3};
  const std::vector<double> b = {10, 20, 20, 300};
  EXPECT_NEAR(spearman(a, b), 1, 1e-15);
  EXPECT_EQ(spearman(a, std::vector<double>(4, 7.0)), 0);
  EXPECT_DOUBLE_EQ(mean_squared_error(a, std::vector<double>{1, 2, 4, 0}), 13.0 / 4);
}

// fixtures/make_tables.py
TEST(ClassificationMetrics, ScoresAreThoseOfScikitLearnAndScipy) {
  std::ifstream file(test::tests_path("tasks/fixtures/tables.json"));
  const auto fixtures = nlohmann::json::parse(file);
  for (const auto& expected : fixtures["numbers"]) {
    const auto truth = expected["truth"].get<std::vector<double>>();
    const auto predicted = expected["predicted"].get<std::vector<double>>();
    EXPECT_NEAR(pearson(predicted, truth), expected["pearson"].get<double>(), 1e-12);
    EXPECT_NEAR(spearman(predicted, truth), expected["spearman"].get<double>(), 1e-12);
    EXPECT_NEAR(mean_squared_error(predicted, truth), expected["mean_squared_error"].get<double>(),
                1e-9);
  }
  for (const auto& expected : fixtures["classes"]) {
    const ClassificationScores scores =
        score_classes(expected["predicted"].get<std::vector<int32_t>>(),
                      expected["truth"].get<std::vector<int32_t>>(), expected["classes"]);
    EXPECT_NEAR(scores.accuracy, expected["accuracy"].get<double>(), 1e-12);
    EXPECT_NEAR(scores.f1, expected["f1"].get<double>(), 1e-12);
    EXPECT_NEAR(scores.matthews, expected["matthews"].get<double>(), 1e-12);
  }
}

/// The digits of all rows: "01", "11" become {0, 1, 1, 1}.
std::vector<uint8_t> marks_of(const nlohmann::json& rows) {
  std::vector<uint8_t> marks;
  for (const auto& row : rows) {
    for (const char digit : row.get<std::string>()) marks.push_back(digit == '1' ? 1 : 0);
  }
  return marks;
}

// fixtures/make_label_sets.py
TEST(ClassificationMetrics, ScoresOfSeveralLabelsAreThoseOfScikitLearn) {
  std::ifstream file(test::tests_path("tasks/fixtures/label_sets.json"));
  const auto cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 24U);
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.dump());
    const LabelSetScores scores = score_label_sets(marks_of(expected["predicted"]),
                                                   marks_of(expected["truth"]), expected["labels"]);
    EXPECT_NEAR(scores.subset_accuracy, expected["subset_accuracy"].get<double>(), 1e-12);
    EXPECT_NEAR(scores.all.f1(), expected["micro_f1"].get<double>(), 1e-12);
    EXPECT_NEAR(macro_f1(scores.labels), expected["macro_f1"].get<double>(), 1e-12);
    for (size_t c = 0; c < scores.labels.size(); ++c) {
      EXPECT_NEAR(scores.labels[c].precision(), expected["precision"][c].get<double>(), 1e-12);
      EXPECT_NEAR(scores.labels[c].recall(), expected["recall"][c].get<double>(), 1e-12);
      EXPECT_EQ(scores.labels[c].truth, expected["support"][c].get<int64_t>());
    }
  }
}

}  // namespace
}  // namespace bertha::tasks
