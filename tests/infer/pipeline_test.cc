// Token classification and question answering as the pipelines of transformers 4, against their
// results (fixtures/README.md).

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "core/error.h"
#include "infer/model.h"
#include "infer/pipeline_answer.h"
#include "infer/pipeline_tag.h"
#include "infer/window_runner.h"
#include "support/files.h"
#include "support/paths.h"
#include "tasks/squad/squad_reader.h"

namespace bertha::infer {
namespace {

using Json = nlohmann::json;

Json fixture(const std::string& name) {
  std::ifstream file(test::tests_path("infer/fixtures/" + name));
  return Json::parse(file);
}

void run(WindowJob& job, WindowRunner& runner) {
  for (const auto& batch :
       batches_of(job, {.tokens = INT64_MAX, .windows = 4}, WindowOrder::kAsTheyAre)) {
    runner.run(batch);
  }
}

// ---- token classification -----------------------------------------------------------------------

class PipelineTagTest : public testing::Test {
 protected:
  PipelineTagTest()
      : model_(Model::open({.weights = test::tests_path("infer/fixtures/tagger")}, device_,
                           {.purpose = Purpose::kTag, .classes = 5})),
        runner_(*model_, Purpose::kTag, {.tokens = 256, .sequences = 4}) {}

  std::vector<std::vector<TaggedSpan>> spans(const std::vector<std::string>& texts,
                                             PipelineTagSettings settings) {
    settings.window_tokens = model_->config().max_tokens();
    PipelineTagJob job(texts, model_->tokenizer(), model_->definition().head().labels,
                       std::move(settings));
    run(job, runner_);
    cut_texts_ = job.cut_texts();
    return job.results();
  }

  cpu::CpuDevice device_;
  std::unique_ptr<Model> model_;
  WindowRunner runner_;
  int64_t cut_texts_ = 0;
};

PipelineTagSettings settings_of(const Json& parameters) {
  using enum TagAggregation;
  const std::map<std::string, TagAggregation> names = {{"none", kNone},
                                                       {"simple", kSimple},
                                                       {"first", kFirst},
                                                       {"average", kAverage},
                                                       {"max", kMax}};
  PipelineTagSettings settings;
  settings.aggregation = names.at(parameters.at("aggregation_strategy"));
  if (parameters.contains("stride")) settings.overlap = parameters["stride"].get<int64_t>();
  if (parameters.contains("ignore_labels")) parameters["ignore_labels"].get_to(settings.ignored);
  return settings;
}

void expect_equal(const std::vector<TaggedSpan>& found, const Json& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const Json& one = expected[i];
    SCOPED_TRACE(one.dump());
    EXPECT_EQ(found[i].label,
              one[one.contains("entity") ? "entity" : "entity_group"].get<std::string>());
    EXPECT_EQ(found[i].word, one["word"].get<std::string>());
    EXPECT_EQ(found[i].begin, one["start"].get<int64_t>());
    EXPECT_EQ(found[i].end, one["end"].get<int64_t>());
    EXPECT_NEAR(found[i].score, one["score"].get<double>(), 1e-5);
    if (one.contains("index")) {
      EXPECT_EQ(found[i].index, one["index"].get<int64_t>());
    }
  }
}

TEST_F(PipelineTagTest, SpansAreThoseOfTransformersWithEveryStrategy) {
  const Json cases = fixture("pipeline_tags.json");
  ASSERT_GE(cases.size(), 50U);
  for (const Json& one : cases) {
    SCOPED_TRACE(one["text"].dump() + " " + one["parameters"].dump());
    expect_equal(spans({one["text"]}, settings_of(one["parameters"])).at(0), one["spans"]);
  }
}

TEST_F(PipelineTagTest, TextsOfOneRequestKeepTheirSpans) {
  const PipelineTagSettings settings = {.overlap = 8, .aggregation = TagAggregation::kFirst};
  std::vector<std::string> texts;
  for (const Json& one : fixture("pipeline_tags.json")) texts.push_back(one["text"]);
  const auto together = spans(texts, settings);
  ASSERT_EQ(together.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto alone = spans({texts[i]}, settings).at(0);
    ASSERT_EQ(together[i].size(), alone.size());
    for (size_t k = 0; k < alone.size(); ++k) {
      EXPECT_EQ(together[i][k].word, alone[k].word);
      EXPECT_EQ(together[i][k].begin, alone[k].begin);
    }
  }
}

TEST_F(PipelineTagTest, ATextThatIsCutIsCounted) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "king ";
  spans({"king", text}, {});
  EXPECT_EQ(cut_texts_, 1);
  spans({text}, {.overlap = 4, .aggregation = TagAggregation::kSimple});
  EXPECT_EQ(cut_texts_, 0);
}

TEST_F(PipelineTagTest, SettingsThatTransformersRefusesAreErrors) {
  EXPECT_THROW(spans({"king"}, {.overlap = 4}), Error) << "no strategy";
  EXPECT_THROW(spans({"king"}, {.overlap = 62, .aggregation = TagAggregation::kMax}), Error);
  EXPECT_THROW(spans({"king", "king"}, {.max_windows = 1}), Error);
}

// ---- question answering -------------------------------------------------------------------------

/// Bytes of base64.
std::string decoded(const std::string& text) {
  const std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = alphabet.find(c);
    if (value == std::string_view::npos) break;
    bits = (bits << 6U) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> static_cast<uint32_t>(count)) & 0xFFU);
  }
  return bytes;
}

/// Gives the model the head of the fixture: its weight and then its bias, as bytes of floats.
void set_head(Model& model, const std::string& bytes) {
  const bert::ModelIndices& indices = model.parameters().table().indices();
  const auto width = static_cast<size_t>(model.config().hidden_size);
  std::vector<float> values(2 * width + 2);
  ASSERT_EQ(bytes.size(), values.size() * sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  model.parameters().write(indices.qa_weight, values.data());
  model.parameters().write(indices.qa_bias, values.data() + 2 * width);
  model.parameters().weights_changed();
}

PipelineAnswerSettings answer_settings_of(const Json& parameters) {
  PipelineAnswerSettings settings;
  settings.top = parameters.value("top_k", settings.top);
  settings.window_tokens = parameters.value("max_seq_len", settings.window_tokens);
  settings.overlap =
      parameters.value("doc_stride", std::min(settings.window_tokens / 2, settings.overlap));
  settings.max_answer_tokens = parameters.value("max_answer_len", settings.max_answer_tokens);
  settings.no_answer = parameters.value("handle_impossible_answer", settings.no_answer);
  settings.align_to_words = parameters.value("align_to_words", settings.align_to_words);
  return settings;
}

TEST(PipelineAnswer, QuestionsOfSquadGetTheAnswersOfTransformers) {
  const std::string folder = test::real_data("checkpoints/all-MiniLM-L6-v2");
  if (folder.empty()) GTEST_SKIP() << "no real data";
  const Json expected = fixture("pipeline_answers.json");
  cpu::CpuDevice device;
  const auto model =
      Model::open({.weights = folder}, device,
                  {.purpose = Purpose::kAnswer, .on_missing = [](const std::string&) {}});
  set_head(*model, decoded(expected["head"]));
  WindowRunner runner(*model, Purpose::kAnswer, {.tokens = 2048, .sequences = 4});
  const tasks::SquadFile file = tasks::read_squad(test::real_data("squad/dev-v1.1.json"));
  std::map<std::string, const tasks::SquadQuestion*> questions;
  for (const tasks::SquadQuestion& question : file.questions) questions[question.id] = &question;
  ASSERT_GE(expected["cases"].size(), 50U);
  for (const Json& one : expected["cases"]) {
    SCOPED_TRACE(one.dump());
    const tasks::SquadQuestion& question = *questions.at(one["id"]);
    PipelineAnswerJob job(question.text, file.contexts[static_cast<size_t>(question.paragraph)],
                          model->tokenizer(), answer_settings_of(one["parameters"]));
    run(job, runner);
    const std::vector<SpanAnswer> answers = job.results();
    ASSERT_EQ(answers.size(), one["answers"].size());
    for (size_t i = 0; i < answers.size(); ++i) {
      EXPECT_EQ(answers[i].begin, one["answers"][i]["start"].get<int64_t>());
      EXPECT_EQ(answers[i].end, one["answers"][i]["end"].get<int64_t>());
      const auto score = one["answers"][i]["score"].get<double>();
      EXPECT_NEAR(answers[i].score, score, 1e-4 * score + 1e-7);
    }
  }
}

}  // namespace
}  // namespace bertha::infer
