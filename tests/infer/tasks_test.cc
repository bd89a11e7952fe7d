// The tasks as calls: answer, fill and classify on small models of random weights.

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "core/error.h"
#include "infer/answer.h"
#include "infer/classify.h"
#include "infer/fill.h"
#include "infer/tiny_models.h"

namespace bertha::infer {
namespace {

class TaskTest : public testing::Test {
 protected:
  std::unique_ptr<Model> open(const bert::Heads& heads, bert::ModelClass model,
                              const OpenOptions& options) {
    test::write_tiny_model(folder_.file("m"), heads, model);
    return Model::open({.weights = folder_.file("m")}, device_, options);
  }

  cpu::CpuDevice device_;
  test::TemporaryFolder folder_;
};

const std::string kHill = "the red house stands on the hill";

/// More than one window of 24 tokens.
std::string long_passage() {
  std::string text;
  for (int i = 0; i < 9; ++i) text += "the red house stands on the hill, 漢字 over there. ";
  return text;
}

class AnswerTest : public TaskTest {
 protected:
  AnswerTask task(int64_t batch_windows = 8) {
    return AnswerTask(*model_, {.features = features_, .batch_windows = batch_windows});
  }

  tasks::SquadFeatureOptions features_ = {
      .max_seq_length = 24, .doc_stride = 5, .max_query_length = 8};
  std::unique_ptr<Model> model_ =
      open({.question_answering = true}, bert::ModelClass::kQuestionAnswering,
           {.purpose = Purpose::kAnswer});
};

TEST_F(AnswerTest, AnswerIsTheStretchOfThePassageAtItsPlace) {
  const std::string passage = "the red house stands on the hill over the river";
  const AnswerRequest request = {.question = "where is the house?", .passage = passage};
  const AnswerResult result = task().run({&request, 1}).at(0);
  ASSERT_GT(result.best.size(), 3U);
  double sum = 0;
  for (const Answer& answer : result.best) {
    EXPECT_EQ(passage.substr(static_cast<size_t>(answer.begin),
                             static_cast<size_t>(answer.end - answer.begin)),
              answer.text);
    sum += answer.probability;
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_GE(result.best[0].probability, result.best[1].probability);
}

TEST_F(AnswerTest, RequestsAndASquadFileOfThemGiveTheSameAnswers) {
  tasks::SquadFile file;
  file.contexts = {kHill, long_passage()};
  const std::vector<std::pair<std::string, int64_t>> asked = {
      {"where is the house?", 1}, {"what is red?", 0}, {"what stands there?", 1}};
  std::vector<AnswerRequest> requests;
  for (const auto& [question, context] : asked) {
    file.questions.push_back(
        {.id = question, .text = question, .paragraph = context, .answers = {}});
    requests.push_back(
        {.question = question, .passage = file.contexts[static_cast<size_t>(context)]});
  }
  AnswerTask answer(*model_, {.features = features_, .batch_windows = 3});
  const tasks::SquadFeatures features(file, model_->tokenizer(), features_);
  const std::vector<tasks::QuestionAnswers> expected = answer.run(features);
  const std::vector<AnswerResult> results = answer.run(requests);
  ASSERT_EQ(results.size(), expected.size());
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(expected[i].id, requests[i].question);
    ASSERT_EQ(results[i].best.size(), expected[i].best.size());
    for (size_t rank = 0; rank < results[i].best.size(); ++rank) {
      EXPECT_EQ(results[i].best[rank].text, expected[i].best[rank].candidate.text);
      EXPECT_EQ(results[i].best[rank].probability, expected[i].best[rank].probability);
    }
  }
}

TEST_F(AnswerTest, EqualQuestionsAboutTwoPassagesStayApart) {
  const std::vector<AnswerRequest> requests = {{.question = "what?", .passage = "red"},
                                               {.question = "what?", .passage = "hill"}};
  const std::vector<AnswerResult> results = task().run(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_NE(requests[i].passage.find(results.at(i).best.at(0).text), std::string_view::npos);
  }
}

TEST_F(AnswerTest, EmptyPassageHasNoAnswerAndKeepsItsPlace) {
  const std::vector<AnswerRequest> requests = {{.question = "what?", .passage = kHill},
                                               {.question = "what?", .passage = " \t "},
                                               {.question = "what?", .passage = kHill}};
  const std::vector<AnswerResult> results = task().run(requests);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_TRUE(results[1].best.empty());
  ASSERT_FALSE(results[2].best.empty());
  EXPECT_EQ(results[2].best[0].text, results[0].best[0].text);
  EXPECT_TRUE(task().run({}).empty());
}

TEST_F(AnswerTest, NoAnswerHasNoPlace) {
  AnswerTask answer(*model_,
                    {.features = features_, .answers = {.n_best_size = 1000, .version_2 = true}});
  const AnswerRequest request = {.question = "what?", .passage = kHill};
  const AnswerResult result = answer.run({&request, 1}).at(0);
  int64_t without_place = 0;
  for (const Answer& found : result.best) {
    if (found.begin >= 0) continue;
    EXPECT_TRUE(found.text.empty());
    ++without_place;
  }
  EXPECT_EQ(without_place, 1);
}

TEST_F(AnswerTest, SettingsThatDoNotFitTheModelAreAnError) {
  const AnswerSettings settings = {.features = {.max_seq_length = 128}};
  EXPECT_THROW(AnswerTask(*model_, settings), Error);
  const AnswerSettings fitted = settings.fitted_to(model_->config());
  EXPECT_EQ(fitted.features.max_seq_length, 64);
  EXPECT_EQ(fitted.features.max_query_length, 32);
  EXPECT_NO_THROW(AnswerTask(*model_, fitted));
}

class FillTest : public TaskTest {
 protected:
  std::unique_ptr<Model> model_ =
      open(bert::Heads::for_pretraining(), bert::ModelClass::kMaskedLanguageModel,
           {.purpose = Purpose::kFill});
  FillTask task_{*model_};
};

TEST_F(FillTest, EachMaskHasItsCandidatesAndTheTextFilledIn) {
  const FillRequest request = {.text = "the [MASK] house [MASK]", .top = 4};
  const FillResult result = task_.run({&request, 1}).at(0);
  ASSERT_EQ(result.masks.size(), 2U);
  for (const auto& candidates : result.masks) {
    ASSERT_EQ(candidates.size(), 4U);
    EXPECT_GE(candidates[0].probability, candidates[3].probability);
    EXPECT_EQ(candidates[0].piece, model_->definition().vocabulary().piece(candidates[0].id));
  }
  const auto word = [](std::string_view piece) {
    return std::string(piece.starts_with("##") ? piece.substr(2) : piece);
  };
  EXPECT_EQ(result.masks[0][0].filled, "the " + word(result.masks[0][0].piece) + " house [MASK]");
  EXPECT_EQ(result.masks[1][0].filled, "the [MASK] house " + word(result.masks[1][0].piece));
}

TEST_F(FillTest, ProbabilitiesOfAllPiecesAddUpToOne) {
  const int64_t all = model_->definition().vocabulary().size();
  const FillRequest request = {.text = "the [MASK] house", .top = all + 8};
  const FillResult result = task_.run({&request, 1}).at(0);
  ASSERT_EQ(std::ssize(result.masks.at(0)), all) << "the rows that pad the table are no pieces";
  double sum = 0;
  for (const FillCandidate& candidate : result.masks[0]) sum += candidate.probability;
  EXPECT_NEAR(sum, 1, 1e-9);
}

TEST_F(FillTest, TextsThatRunTogetherGiveWhatEachGivesAlone) {
  const std::vector<FillRequest> requests = {{.text = "the [MASK]"},
                                             {.text = "[MASK] red [MASK] house [MASK]"},
                                             {.text = "on the [MASK] hill"}};
  const std::vector<FillResult> together = task_.run(requests);
  ASSERT_EQ(together.size(), 3U);
  for (size_t i = 0; i < requests.size(); ++i) {
    const FillResult alone = task_.run({&requests[i], 1}).at(0);
    ASSERT_EQ(together[i].masks.size(), alone.masks.size());
    for (size_t mask = 0; mask < alone.masks.size(); ++mask) {
      EXPECT_EQ(together[i].masks[mask][0].id, alone.masks[mask][0].id);
      EXPECT_NEAR(together[i].masks[mask][0].probability, alone.masks[mask][0].probability, 1e-6);
    }
  }
}

TEST_F(FillTest, TextWithoutAMaskOrTooLongIsAnError) {
  const FillRequest none = {.text = "the house"};
  EXPECT_THROW(task_.run({&none, 1}), Error);
  std::string words = "[MASK]";
  for (int i = 0; i < 64; ++i) words += " the";
  const FillRequest longer = {.text = words};
  EXPECT_THROW(task_.run({&longer, 1}), Error);
}

class ClassifyTest : public TaskTest {
 protected:
  std::unique_ptr<Model> model_ = open({.classes = 3}, bert::ModelClass::kClassification,
                                       {.purpose = Purpose::kClassify, .classes = 3});
};

TEST_F(ClassifyTest, EveryTextHasTheProbabilitiesOfAllClasses) {
  ClassifyTask task(*model_, {.max_tokens = 16, .batch_texts = 2});
  const std::vector<ClassifyRequest> requests = {
      {.text = "the red house"}, {.text = ""}, {.text = "the hill", .pair = "the river"}};
  const std::vector<ClassifyResult> results = task.run(requests);
  ASSERT_EQ(results.size(), 3U);
  for (const ClassifyResult& result : results) {
    const std::vector<double>& all = result.probabilities;
    ASSERT_EQ(all.size(), 3U);
    EXPECT_NEAR(std::accumulate(all.begin(), all.end(), 0.0), 1, 1e-12);
    for (const double probability : all) {
      EXPECT_LE(probability, all[static_cast<size_t>(result.best)]);
    }
  }
}

TEST_F(ClassifyTest, TheSecondTextOfAPairCounts) {
  ClassifyTask task(*model_, {.max_tokens = 16});
  const std::vector<ClassifyRequest> requests = {{.text = "the hill"},
                                                 {.text = "the hill", .pair = "red"}};
  const std::vector<ClassifyResult> results = task.run(requests);
  EXPECT_NE(results.at(0).probabilities, results.at(1).probabilities);
}

TEST_F(ClassifyTest, ResultsDoNotDependOnTheBatch) {
  std::vector<ClassifyRequest> requests(7, {.text = "the red house"});
  requests[3].text = "on the hill";
  ClassifyTask one(*model_, {.max_tokens = 16, .batch_texts = 1});
  ClassifyTask all(*model_, {.max_tokens = 16, .batch_texts = 7});
  const std::vector<ClassifyResult> a = one.run(requests);
  const std::vector<ClassifyResult> b = all.run(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_NEAR(a[i].probabilities[0], b[i].probabilities[0], 1e-6) << i;
  }
}

}  // namespace
}  // namespace bertha::infer
