#include "tasks/squad/squad_answers.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/atomic_file.h"
#include "support/paths.h"
#include "text/tokenizer_settings.h"

namespace bertha::tasks {
namespace {

const std::string kFixtures = test::tests_path("tasks/fixtures/squad/");

// [predicted, original, lower case, result of the reference's get_final_text].
const char* const kTexts = R"([["steve smith", "Steve Smith's", true, "Steve Smith"], [
"1895", "(1895-1943).", true, "1895"], ["cafe", "Caf\u00e9, the", true, "Caf\u00e9"], [
"cafe the", "Caf\u00e9, the", true, "Caf\u00e9, the"], [
"x", "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3", true, "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3"], [
"\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c3", "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3!", true, "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3!"], [
"\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03c5\u03c2", "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3!", true, "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3"], [
"\u706f \u53f0", "\u6d77\u306e\u706f\u53f0", true, "\u706f\u53f0"], [
"\u706f\u53f0", "\u6d77\u306e\u706f\u53f0", true, "\u6d77\u306e\u706f\u53f0"], [
"a b", "a\u00a0b c", true, "a\u00a0b c"], ["ab", "a\u200bb", true, "a\u200bb"], [
"[MASK]", "[MASK] x", true, "[MASK]"], ["[mask]", "[MASK]x", true, "[MASK]x"], [
"i\u0307stanbul", "\u0130stanbul", true, "\u0130stanbul"], [
"istanbul", "\u0130stanbul", true, "\u0130stanbul"], ["Steve", "Steve's", false, "Steve"], [
"steve", "Steve's", false, "Steve's"], ["", "abc", true, "abc"], [
"fi", "\ufb01ne fi", true, "fi"], ["e", "\u00e9 e\u0301 e", true, "\u00e9 e\u0301 e"], [
"2 . 5", "costs 2.5 m", true, "2.5"], ["costs 2", "costs 2.5 m", true, "costs 2"], [
"\ud55c\uad6d", "\ud55c\uad6d\uc5b4", true, "\ud55c\uad6d\uc5b4"], [
"\u2028", "a\u2028b", true, "a\u2028b"], ["a b", "a\u2028b", true, "a\u2028b"]])";

TEST(AnswerText, KeepsAccentsWhereTheTokenizerDoes) {
  text::TokenizerSettings settings;
  settings.normalizers = {text::BertNormalizer{.strip_accents = false}};
  const AnswerText text({.settings = std::make_shared<const text::TokenizerSettings>(settings)});
  EXPECT_EQ(text.recover("über uns", "\"ÜBER uns\","), "ÜBER uns");
}

TEST(AnswerText, EqualsTheReference) {
  for (const auto& entry : nlohmann::json::parse(kTexts)) {
    const AnswerText text({.lower_case = entry[2].get<bool>(), .rules = text::TokenRules::kRecipe});
    EXPECT_EQ(text.recover(entry[0].get<std::string>(), entry[1].get<std::string>()),
              entry[3].get<std::string>())
        << entry;
  }
}

/// The logits of fixtures/squad/README.md.
class Generator {
 public:
  float next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<float>((state_ >> 16) % 97U) / 8.0F - 6.0F;
  }
  std::vector<float> next(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = next();
    return values;
  }

 private:
  uint32_t state_ = 12345;
};

class SquadAnswersTest : public testing::Test {
 protected:
  std::vector<WindowAnswers> read(const SquadAnswerer& answerer) const {
    Generator logits;
    std::vector<WindowAnswers> windows;
    for (int64_t i = 0; i < std::ssize(features_.windows()); ++i) {
      const int64_t length = features_.length_of(features_.windows()[static_cast<size_t>(i)]);
      const std::vector<float> start = logits.next(length);
      windows.push_back(answerer.read_window(i, start, logits.next(length)));
    }
    return windows;
  }
  text::Vocabulary vocabulary_ = text::Vocabulary::load(kFixtures + "vocab.txt");
  text::Tokenizer tokenizer_{vocabulary_, {.rules = text::TokenRules::kRecipe}};
  SquadFile file_ = read_squad(kFixtures + "small.json");
  SquadFeatures features_{
      file_, tokenizer_, {.max_seq_length = 64, .doc_stride = 24, .max_query_length = 16}};
};

TEST_F(SquadAnswersTest, FilesEqualTheReferencesByteForByte) {
  const SquadAnswerer answerer(features_, tokenizer_, {.n_best_size = 6});
  const std::vector<QuestionAnswers> answers = answerer.merge(read(answerer));
  EXPECT_EQ(predictions_json(answers), io::MappedFile(kFixtures + "predictions.json").text());
  EXPECT_EQ(nbest_json(answers), io::MappedFile(kFixtures + "nbest_predictions.json").text());
}

TEST_F(SquadAnswersTest, QuestionWithoutCandidatesGivesTheTextEmpty) {
  const SquadAnswerer answerer(features_, tokenizer_, {.n_best_size = 1});
  std::vector<WindowAnswers> windows(features_.windows().size());
  const std::vector<QuestionAnswers> answers = answerer.merge(windows);
  EXPECT_EQ(answers[0].text, "empty");
  EXPECT_EQ(answers[0].best[0].probability, 1);
  EXPECT_EQ(answers.size(), 12U);  // the empty passage has no window and no answer
}

TEST_F(SquadAnswersTest, NullScoreOfVersionTwoIsPerQuestion) {
  const auto answer = [&](double threshold) {
    const SquadAnswerer answerer(features_, tokenizer_,
                                 {.version_2 = true, .null_threshold = threshold});
    std::vector<WindowAnswers> windows(features_.windows().size());
    for (WindowAnswers& window : windows) {
      window.null_start = 3;
      window.null_end = 2;
      window.candidates = {{.text = "ship", .start_logit = 2, .end_logit = 2}};
    }
    windows[0].null_start = -4;  // the lowest score of the first question only
    return answerer.merge(windows);
  };
  EXPECT_EQ(answer(0)[0].text, "ship");
  EXPECT_EQ(answer(0)[1].text, "");
  EXPECT_EQ(answer(1)[1].text, "ship");  // better by exactly the threshold is not enough
  EXPECT_EQ(answer(0)[1].best[0].candidate.text, "");
}

TEST_F(SquadAnswersTest, NanLogitsDoNotCrash) {
  const SquadAnswerer answerer(features_, tokenizer_, {});
  const int64_t length = features_.length_of(features_.windows()[0]);
  const std::vector<float> nan(static_cast<size_t>(length),
                               std::numeric_limits<float>::quiet_NaN());
  std::vector<WindowAnswers> windows(features_.windows().size());
  windows[0] = answerer.read_window(0, nan, nan);
  EXPECT_EQ(answerer.merge(windows).size(), 12U);
}

TEST_F(SquadAnswersTest, PositionsAreCodePointsOfTheContext) {
  const SquadAnswerer answerer(features_, tokenizer_, {});
  for (const QuestionAnswers& question : answerer.merge(read(answerer))) {
    const Candidate& best = question.best[0].candidate;
    const auto [begin, end] = answerer.place_of(best);
    const SquadWindow& window = features_.windows()[static_cast<size_t>(best.window)];
    const auto& context = file_.contexts[static_cast<size_t>(features_.example_of(window).passage)];
    EXPECT_GE(begin, 0);
    EXPECT_LT(begin, end);
    EXPECT_LE(end, std::ssize(context));
  }
}

TEST(SquadAnswers, NoAnswersGiveAnEmptyObject) {
  EXPECT_EQ(predictions_json({}), "{}\n");
  EXPECT_EQ(nbest_json({}), "{}\n");
}

}  // namespace
}  // namespace bertha::tasks
