#include "tasks/tagging/spans.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/paths.h"

namespace bertha::tasks {
namespace {

using Json = nlohmann::json;

Labels labels_of(const std::string& text) {
  std::istringstream stream(text);
  Labels labels;
  for (std::string label; stream >> label;) labels.push_back(label);
  return labels;
}

std::vector<Labels> sentences_of(const Json& texts) {
  std::vector<Labels> sentences;
  for (const Json& text : texts) sentences.push_back(labels_of(text.get<std::string>()));
  return sentences;
}

void expect_counts(const HitCounts& counts, const Json& expected) {
  EXPECT_NEAR(counts.precision(), expected[0].get<double>(), 1e-12) << counts.name;
  EXPECT_NEAR(counts.recall(), expected[1].get<double>(), 1e-12) << counts.name;
  EXPECT_NEAR(counts.f1(), expected[2].get<double>(), 1e-12) << counts.name;
  EXPECT_EQ(counts.truth, expected[3].get<int64_t>()) << counts.name;
}

// fixtures/README.md says how spans.json was made.
TEST(Spans, ScoresAreThoseOfSeqeval) {
  std::ifstream file(test::tests_path("tasks/fixtures/spans.json"));
  const Json cases = Json::parse(file);
  ASSERT_GT(cases.size(), 100U);
  for (const Json& one : cases) {
    SCOPED_TRACE(one["truth"].dump() + " " + one["predicted"].dump());
    const SpanScores scores =
        score_spans(sentences_of(one["truth"]), sentences_of(one["predicted"]));
    ASSERT_EQ(scores.types.size(), one["types"].size());
    for (const HitCounts& type : scores.types) {
      ASSERT_TRUE(one["types"].contains(type.name)) << type.name;
      expect_counts(type, one["types"][type.name]);
    }
    expect_counts(scores.all, one["all"]);
    EXPECT_NEAR(macro_f1(scores.types), one["macro"].get<double>(), 1e-12);
    EXPECT_NEAR(scores.accuracy, one["accuracy"].get<double>(), 1e-12);
  }
}

TEST(Spans, SpansAreThoseOfSeqeval) {
  std::ifstream file(test::tests_path("tasks/fixtures/spans.json"));
  for (const Json& one : Json::parse(file)) {
    SCOPED_TRACE(one["truth"].dump());
    Labels all;
    for (const Labels& labels : sentences_of(one["truth"])) {
      all.insert(all.end(), labels.begin(), labels.end());
      all.emplace_back("O");
    }
    const std::vector<Span> spans = find_spans(all);
    ASSERT_EQ(spans.size(), one["spans"].size());
    for (size_t i = 0; i < spans.size(); ++i) {
      EXPECT_EQ(spans[i].type, one["spans"][i][0].get<std::string>());
      EXPECT_EQ(spans[i].begin, one["spans"][i][1].get<int64_t>());
      EXPECT_EQ(spans[i].end, one["spans"][i][2].get<int64_t>() + 1);
    }
  }
}

TEST(Spans, SentenceWithoutSpansScoresZero) {
  const std::vector<Labels> sentences = {{"O", "O"}};
  const SpanScores scores = score_spans(sentences, sentences);
  EXPECT_EQ(scores.all.f1(), 0);
  EXPECT_EQ(macro_f1(scores.types), 0);
  EXPECT_EQ(scores.accuracy, 1);
}

}  // namespace
}  // namespace bertha::tasks
