#include "tasks/squad/squad_score.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/atomic_file.h"
#include "runlog/dllogger.h"
#include "support/files.h"

namespace bertha::tasks {
namespace {

// Results of the functions of evaluate-v1.1.py for these texts under Python 3.11.
const char* const kNormalized =
    R"([["The  Cat, a dog & an owl!", "cat dog owl"], ["a-an-the", "aanthe"], [
"A\u00a0b\u2003the\u3000c", "b c"], [
"\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 the", "\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c2"], [
"\u0130stanbul the a", "i\u0307stanbul"], ["STRASSE \u1e9e", "strasse \u00df"], [
"th\u00e9a the\u0301 a\u0301", "th\u00e9a \u0301 \u0301"], [
"x\u00b2 the\u00b2 a\u00bd", "x\u00b2 the\u00b2 a\u00bd"], [
"\u300cthe\u300d a\u201can\u201d", "\u300c \u300d \u201c \u201d"], [
"a_b an_ the_", "ab"], ["\u001cthe\u0085a", ""], ["", ""], ["the", ""], ["a.n", ""], [
"\u2167 the \u2167a", "\u2177 \u2177a"], [
"\u4e2da\u4e2d the\u4e2d the \u4e2d", "\u4e2da\u4e2d the\u4e2d \u4e2d"], [
"don\u2019t a\u2019b", "don\u2019t \u2019b"], ["U.S.A. the", "usa"], [
"\u2028an\u2029a", ""], ["\u01c5 D\u017d \u01c8", "\u01c6 d\u017e \u01c9"], [
"na\u00efve THE caf\u00e9", "na\u00efve caf\u00e9"]])";
const char* const kF1 = R"([["the quick brown fox", "a quick fox jumped", 0.6666666666666666], [
"b b c", "b c c d", 0.5714285714285715], ["x", "y", 0], [
"one two three", "one two three", 1.0], ["a", "the", 0], [
"1 2 3 4 5 6 7", "3 7 9", 0.4]])";

TEST(SquadScore, NormalizationEqualsTheOfficialScripts) {
  for (const auto& entry : nlohmann::json::parse(kNormalized)) {
    EXPECT_EQ(normalize_answer(entry[0].get<std::string>()), entry[1].get<std::string>())
        << entry[0];
  }
}

TEST(SquadScore, F1EqualsTheOfficialScripts) {
  for (const auto& entry : nlohmann::json::parse(kF1)) {
    EXPECT_EQ(answer_f1(entry[0].get<std::string>(), entry[1].get<std::string>(), false),
              entry[2].get<double>())
        << entry;
  }
}

const char* const kGold = R"({"version": "1.1", "data": [{"paragraphs": [{"context": "A red fox.",
  "qas": [{"id": "1", "question": "Who?", "answers": [{"text": "fox", "answer_start": 6},
                                                       {"text": "A red fox", "answer_start": 0}]},
          {"id": "2", "question": "Colour?", "answers": [{"text": "red", "answer_start": 2}]},
          {"id": "3", "question": "Where?", "answers": []}]}]}]})";

TEST(SquadScore, BestTruthCountsAndMissingAnswersAreCounted) {
  const SquadFile gold = parse_squad(kGold, "gold");
  const SquadScores scores = score_squad(gold, {{"1", "the red fox"}, {"2", "blue"}}, false);
  EXPECT_EQ(scores.all.questions, 3);
  EXPECT_EQ(scores.unanswered, 1);
  EXPECT_EQ(scores.all.exact_match, 100.0 * 1 / 3);
  EXPECT_EQ(scores.all.f1, 100.0 * 1 / 3);
}

TEST(SquadScore, VersionTwoScoresEmptyAnswersOfUnanswerableQuestions) {
  const SquadFile gold = parse_squad(kGold, "gold");
  const SquadScores silent = score_squad(gold, {{"1", ""}, {"2", "Red."}, {"3", ""}}, true);
  EXPECT_EQ(silent.unanswerable.questions, 1);
  EXPECT_EQ(silent.unanswerable.exact_match, 100);
  EXPECT_EQ(silent.answerable.exact_match, 50);
  EXPECT_EQ(score_squad(gold, {{"3", "here"}}, true).unanswerable.f1, 0);
}

TEST(SquadScore, PublishedPredictionsGiveThePublishedScores) {
  const std::filesystem::path data = test::real_data("");
  const std::filesystem::path folder = data / "squad" / "predictions";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder;
  const SquadFile gold = read_squad(data / "squad" / "dev-v1.1.json");
  const io::MappedFile expected(folder / "EXPECTED.json");
  const nlohmann::json files = nlohmann::json::parse(expected.text());
  for (const auto& [name, scores] : files.items()) {
    Problems problems;
    const SquadAnswers answers = read_squad_predictions(folder / name, problems);
    const SquadScores actual = score_squad(gold, answers, false);
    EXPECT_EQ(actual.all.exact_match, scores["exact_match"].get<double>()) << name;
    EXPECT_EQ(actual.all.f1, scores["f1"].get<double>()) << name;
    EXPECT_EQ(actual.unanswered, scores["unanswered"].get<int64_t>()) << name;
  }
}

}  // namespace
}  // namespace bertha::tasks
