// The models of a server on small models of random weights: results equal those of the tasks that
// the commands run.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <random>

#include "backend/devices.h"
#include "core/error.h"
#include "infer/answer.h"
#include "infer/classify.h"
#include "infer/embed.h"
#include "infer/fill.h"
#include "infer/tag.h"
#include "infer/tiny_models.h"
#include "serve/model_service.h"

namespace bertha::serve {
namespace {

const std::string kPassage = "the red house stands on the hill over the river";

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    using bert::ModelClass;
    test::write_tiny_model(path("qa"), {.question_answering = true},
                           ModelClass::kQuestionAnswering);
    test::write_tiny_model(path("mlm"), bert::Heads::for_pretraining(), ModelClass::kPretraining);
    test::write_tiny_model(path("vectors"), {.pooler = false}, ModelClass::kEncoder);
    test::write_tiny_model(path("classes"), {.classes = 3}, ModelClass::kClassification);
    test::write_tiny_model(path("ranks"), {.classes = 1}, ModelClass::kClassification);
    test::write_tiny_model(path("tags"), {.pooler = false, .classes = 3},
                           ModelClass::kTokenClassification);
    ModelServiceOptions options;
    for (const char* name : {"qa", "mlm", "vectors", "classes"}) {
      options.models.push_back(parse_model_spec(std::string(name) + "=" + path(name)));
    }
    options.models.push_back(parse_model_spec("ranks=" + path("ranks") + ":rerank"));
    options.models.push_back(parse_model_spec("tags=" + path("tags")));
    options.open_device = [] { return find_device("cpu")->open(0); };
    options.arithmetic = [](const Device&) { return infer::Arithmetic(); };
    // Under a sanitizer, requests wait for long.
    options.limits.max_queue_time = std::chrono::minutes(5);
    service_ = make_model_service(std::move(options));
    service_->load();
  }
  std::string path(const std::string& name) { return folder_.file(name); }
  std::unique_ptr<infer::Model> open(const std::string& name, infer::Purpose purpose,
                                     int64_t classes = 0) {
    infer::ModelFiles files = infer::find_model(path(name));
    if (purpose == infer::Purpose::kAnswer) files.rules = text::TokenRules::kRecipe;
    return infer::Model::open(files, device_, {.purpose = purpose, .classes = classes});
  }
  template <typename T, typename Request>
  Result<T> call(void (InferenceService::*task)(const std::string&, Request, RequestContext,
                                                Callback<T>),
                 Request request, const std::string& model = "") {
    std::promise<Result<T>> promise;
    (service_.get()->*task)(model, std::move(request), {},
                            [&](Result<T> result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  }

  test::TemporaryFolder folder_;
  cpu::CpuDevice device_;
  std::unique_ptr<ModelService> service_;
};

TEST_F(ServiceTest, TasksAreFoundFromTheHeads) {
  const std::vector<ModelInfo> models = service_->models();
  ASSERT_EQ(models.size(), 6U);
  EXPECT_EQ(models[0].task, Task::kAnswer);
  EXPECT_EQ(models[1].task, Task::kFill);
  EXPECT_EQ(models[2].task, Task::kEmbed);
  EXPECT_EQ(models[3].task, Task::kClassify);
  EXPECT_EQ(models[4].task, Task::kRerank);
  EXPECT_EQ(models[5].task, Task::kTag);
  EXPECT_EQ(service_->state(), ServiceState::kReady);
}

TEST_F(ServiceTest, AnswerEqualsTheCommandsBits) {
  const auto model = open("qa", infer::Purpose::kAnswer);
  infer::AnswerTask task(*model, infer::AnswerSettings().fitted_to(model->config()));
  const infer::AnswerRequest asked = {.question = "where is the house?", .passage = kPassage};
  const infer::Answer expected = task.run({&asked, 1}).at(0).best.at(0);
  AnswerRequest request = {.questions = {"where is the house?"}, .passage = kPassage};
  request.no_answer = false;
  const Result<AnswerResult> result = call(&InferenceService::answer, request);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const AnswerSpan& span = result.value().answers.at(0).best.at(0);
  EXPECT_EQ(span.text, expected.text);
  EXPECT_EQ(span.confidence, expected.probability);
  EXPECT_EQ(span.begin, expected.begin);
  EXPECT_EQ(span.end, expected.end);
}

TEST_F(ServiceTest, VectorsEqualTheCommandsBits) {
  const auto model = open("vectors", infer::Purpose::kEmbed);
  const auto settings = infer::embed_settings(model->definition(), std::nullopt);
  infer::EmbedTask task(*model, settings);
  const std::vector<infer::EmbedRequest> asked = {{.text = "the hill"}, {.text = kPassage}};
  const auto expected = task.run(asked);
  const Result<EmbedResult> result =
      call(&InferenceService::embed, EmbedRequest{.inputs = {"the hill", kPassage}});
  ASSERT_TRUE(result.ok()) << result.error().message;
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(result.value().embeddings.at(i).values, expected.at(i).vector);
  }
}

TEST_F(ServiceTest, CandidatesEqualTheCommandsBits) {
  const auto model = open("mlm", infer::Purpose::kFill);
  infer::FillTask task(*model);
  const infer::FillRequest asked = {.text = "the red [MASK] stands"};
  const auto expected = task.run({&asked, 1}).at(0).masks.at(0);
  const Result<FillResult> result =
      call(&InferenceService::fill, FillRequest{.texts = {"the red [MASK] stands"}});
  ASSERT_TRUE(result.ok()) << result.error().message;
  const auto& found = result.value().texts.at(0).at(0);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].id, expected[i].id);
    EXPECT_EQ(found[i].probability, expected[i].probability);
    EXPECT_EQ(found[i].filled, expected[i].filled);
  }
}

TEST_F(ServiceTest, ClassesEqualTheCommandsBits) {
  const auto model = open("classes", infer::Purpose::kClassify, 3);
  infer::ClassifyTask task(*model, {.max_tokens = 64});
  const infer::ClassifyRequest asked = {.text = kPassage, .pair = "the river"};
  const auto expected = task.run({&asked, 1}).at(0).probabilities;
  const Result<ClassifyResult> result =
      call(&InferenceService::classify,
           ClassifyRequest{.inputs = {{.text = kPassage, .pair = "the river"}}});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result.value().scores.at(0), expected);
}

TEST_F(ServiceTest, RanksAreSigmoidsOfTheirLogits) {
  RerankRequest request = {.query = "where?", .documents = {"the hill", "the river"}};
  const Result<RerankResult> scores = call(&InferenceService::rerank, request);
  request.raw_scores = true;
  const Result<RerankResult> logits = call(&InferenceService::rerank, request);
  ASSERT_TRUE(scores.ok() && logits.ok());
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(scores.value().scores[i], 1 / (1 + std::exp(-logits.value().scores[i])), 1e-12);
  }
}

TEST_F(ServiceTest, AnswersOfThePipelineLieInThePassage) {
  PipelineAnswerRequest request = {.question = "where?", .passage = "Über 漢字 the hill 😀 river"};
  request.top = 3;
  request.offsets = OffsetUnit::kBytes;
  const Result<PipelineAnswerResult> result = call(&InferenceService::pipeline_answer, request);
  ASSERT_TRUE(result.ok()) << result.error().message;
  ASSERT_EQ(result.value().best.size(), 3U);
  for (const PipelineAnswer& answer : result.value().best) {
    EXPECT_EQ(request.passage.substr(static_cast<size_t>(answer.begin),
                                     static_cast<size_t>(answer.end - answer.begin)),
              answer.text);
    EXPECT_GT(answer.score, 0);
  }
}

TEST_F(ServiceTest, WordsGetTheLabelsOfTheCommand) {
  const auto model = open("tags", infer::Purpose::kTag, 3);
  std::vector<text::TokenOffset> places;
  const tasks::WordTokens words = tasks::tokens_of_text(kPassage, model->tokenizer(), places);
  infer::TagTask task(*model, {.max_tokens = 64});
  const infer::TagResult expected = task.run({&words, 1}).at(0);
  PipelineTagRequest request = {.texts = {kPassage}, .ignored = {}};
  const Result<PipelineTagResult> result = call(&InferenceService::pipeline_tag, request);
  ASSERT_TRUE(result.ok()) << result.error().message;
  std::map<int64_t, infer::TaggedSpan> by_place;  // the first token of each word has its label
  for (const infer::TaggedSpan& span : result.value().texts.at(0)) by_place[span.begin] = span;
  for (size_t i = 0; i < places.size(); ++i) {
    const infer::TaggedSpan& span = by_place.at(places[i].begin);
    EXPECT_EQ(span.label, "LABEL_" + std::to_string(expected.labels[i]));
    EXPECT_DOUBLE_EQ(span.score, expected.probabilities[i]);
  }
}

TEST_F(ServiceTest, TagRequestsThatTheModelDoesNotTakeNameTheField) {
  const auto error = [&](PipelineTagRequest request) {
    return call(&InferenceService::pipeline_tag, std::move(request)).error();
  };
  EXPECT_EQ(error({.texts = {""}}).kind, ErrorKind::kEmpty);
  EXPECT_EQ(error({.texts = {"a"}, .overlap = 1000}).field, "stride");
  EXPECT_EQ(error({.texts = {"a"}, .overlap = 1}).kind, ErrorKind::kInvalid);
}

TEST_F(ServiceTest, WrongRequestsNameTheirError) {
  const auto kind = [&](EmbedRequest request, const std::string& model) {
    return call(&InferenceService::embed, std::move(request), model).error().kind;
  };
  EXPECT_EQ(kind({.inputs = {"a"}}, "none"), ErrorKind::kUnknownModel);
  EXPECT_EQ(kind({.inputs = {"a"}}, "qa"), ErrorKind::kWrongTask);
  EXPECT_EQ(kind({.inputs = {}}, ""), ErrorKind::kEmpty);
  EXPECT_EQ(kind({.inputs = {std::vector<int32_t>{1 << 30}}}, ""), ErrorKind::kInvalid);
  EXPECT_EQ(kind({.inputs = {"a"}, .dimensions = 1000}, ""), ErrorKind::kInvalid);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "the hill ";
  EXPECT_EQ(kind({.inputs = {text}, .truncation = {.allowed = false}}, ""), ErrorKind::kTooLong);
  EXPECT_EQ(call(&InferenceService::fill, FillRequest{.texts = {"no mask"}}).error().kind,
            ErrorKind::kInvalid);
}

/// Texts of one to fifty words.
std::vector<std::string> random_texts(int count) {
  const std::array<const char*, 8> words = {"the", "red",  "house", "stands",
                                            "on",  "hill", "over",  "river"};
  std::mt19937_64 random(5);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string& text = texts.emplace_back();
    for (size_t left = 1 + random() % 50; left > 0; --left) {
      text += std::string(words[random() % words.size()]) + " ";
    }
  }
  return texts;
}

TEST_F(ServiceTest, EveryMixtureOfRequestsGivesTheResultsOfLoneOnes) {
  const std::vector<std::string> texts =
      random_texts(std::getenv("BERTHA_LONG") != nullptr ? 10'000 : 300);
  const auto vectors = open("vectors", infer::Purpose::kEmbed);
  infer::EmbedTask embed(*vectors, infer::embed_settings(vectors->definition(), std::nullopt));
  const auto answers = open("qa", infer::Purpose::kAnswer);
  infer::AnswerTask ask(*answers, infer::AnswerSettings().fitted_to(answers->config()));
  struct Asked {
    std::promise<Result<EmbedResult>> vector;
    std::promise<Result<AnswerResult>> answer;
  };
  std::deque<std::shared_ptr<Asked>> asked;  // with their callbacks, which may come after this test
  const size_t together = 64;                // requests in the queue
  double largest = 0;
  for (size_t i = 0; i < texts.size() + together; ++i) {
    if (i < texts.size()) {
      const auto& one = asked.emplace_back(std::make_shared<Asked>());
      service_->embed("", {.inputs = {texts[i]}}, {},
                      [one](auto result) { one->vector.set_value(std::move(result)); });
      AnswerRequest request = {.questions = {"which house?"}, .passage = texts[i]};
      request.no_answer = false;
      service_->answer("", std::move(request), {},
                       [one](auto result) { one->answer.set_value(std::move(result)); });
    }
    if (i < together) continue;
    const std::string& text = texts[i - together];
    const auto vector = asked.front()->vector.get_future().get();
    const auto answer = asked.front()->answer.get_future().get();
    asked.pop_front();
    ASSERT_TRUE(vector.ok() && answer.ok());
    const infer::EmbedRequest alone = {.text = text};
    const std::vector<float> expected = embed.run({&alone, 1}).at(0).vector;
    for (size_t k = 0; k < expected.size(); ++k) {
      const double apart = double{vector.value().embeddings.at(0).values[k]} - double{expected[k]};
      largest = std::max(largest, std::abs(apart));
    }
    const infer::AnswerRequest question = {.question = "which house?", .passage = text};
    const infer::Answer best = ask.run({&question, 1}).at(0).best.at(0);
    const AnswerSpan& found = answer.value().answers.at(0).best.at(0);
    ASSERT_EQ(found.begin, best.begin) << text;
    ASSERT_EQ(found.end, best.end) << text;
    ASSERT_NEAR(found.confidence, best.probability, 1e-5) << text;
  }
  EXPECT_LE(largest, 1e-5);
  fmt::print("{} texts: vectors differ by {:.2g} at most\n", texts.size(), largest);
}

TEST_F(ServiceTest, DrainingRefusesNewRequests) {
  service_->begin_drain();
  EXPECT_EQ(call(&InferenceService::embed, EmbedRequest{.inputs = {"a"}}).error().kind,
            ErrorKind::kDraining);
  EXPECT_TRUE(service_->wait_drained(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
}

}  // namespace
}  // namespace bertha::serve
