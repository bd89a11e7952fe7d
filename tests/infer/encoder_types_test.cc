// Small models of every type, activation and class as transformers saves them, and what they
// compute there (fixtures/README.md).

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "bert/classification.h"
#include "bert/export.h"
#include "bert/pretraining.h"
#include "bert/question_answering.h"
#include "bert/token_classification.h"
#include "core/error.h"
#include "infer/model.h"
#include "infer/predictor.h"
#include "ops/copy.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::infer {
namespace {

using Json = nlohmann::json;
using bert::ModelClass;

const std::string kFolder = test::tests_path("infer/fixtures/encoders/");

Json fixture() {
  std::ifstream file(test::tests_path("infer/fixtures/encoders.json"));
  return Json::parse(file);
}

ModelFiles files_of(const std::string& folder) {
  return {.weights = kFolder + folder, .vocabulary = kFolder + "vocab.txt"};
}

/// The last layer's output [T,H].
class HiddenPass final : public ForwardPass {
 public:
  explicit HiddenPass(const Model& model)
      : hidden_size_(model.config().hidden_size), encoder_(model.config(), model.parameters()) {}
  std::string_view name() const override { return "hidden"; }
  Shape result_shape(const BatchSize& size) const override { return {size.tokens, hidden_size_}; }
  void run(Context& context, const PassInputs& inputs, Out result) override {
    encoder_.forward(context, inputs.encoder, bert::Keep::kNothing, saved_);
    ops::copy(context, {.from = saved_.y, .to = result});
  }

 private:
  int64_t hidden_size_;
  bert::Encoder encoder_;
  bert::EncoderContext saved_;
};

/// The language model's logits [R,V].
class WordsPass final : public ForwardPass {
 public:
  explicit WordsPass(const Model& model)
      : vocabulary_(model.config().vocab_size), model_(model.config(), model.parameters()) {}
  std::string_view name() const override { return "words"; }
  Shape result_shape(const BatchSize& size) const override { return {size.rows, vocabulary_}; }
  void run(Context& context, const PassInputs& inputs, Out result) override {
    model_.masked_logits(context, inputs.encoder, inputs.rows, result);
  }

 private:
  int64_t vocabulary_;
  bert::PretrainingModel model_;
};

class EncoderTypes : public testing::Test {
 protected:
  RaggedBatch batch(size_t text) const {
    RaggedBatch batch;
    batch.clear();
    for (const Json& id : all_["ids"][text]) batch.ids.push_back(id.get<int32_t>());
    for (const Json& type : all_["types"][text]) batch.segments.push_back(type.get<int32_t>());
    for (size_t i = 0; i < batch.ids.size(); ++i)
      batch.positions.push_back(static_cast<int32_t>(i));
    batch.seq_start.push_back(static_cast<int32_t>(batch.ids.size()));
    return batch;
  }

  std::vector<float> run(const Model& model, ForwardPass& pass, size_t text) {
    const RaggedBatch tokens = batch(text);
    std::vector<int32_t> rows(tokens.positions);
    const int64_t count = tokens.tokens();
    Predictor predictor(device_, DType::kF32, pass,
                        {.tokens = count, .sequences = 1, .rows = count},
                        model.parameters().table().has_token_types());
    const bool picks = pass.name() == "words";
    const auto result =
        predictor.run(tokens, picks ? std::span<const int32_t>(rows) : std::span<const int32_t>());
    return {result.begin(), result.end()};
  }

  std::unique_ptr<Model> open(const std::string& folder, Purpose purpose, int64_t classes = 0) {
    return Model::open(files_of(folder), device_, {.purpose = purpose, .classes = classes});
  }

  /// What the model computes for a text; nothing for a class that no command runs.
  std::optional<std::vector<float>> compute(const Json& record, size_t text) {
    const auto folder = record["folder"].get<std::string>();
    switch (*bert::class_named(record["class"].get<std::string>())) {
      case ModelClass::kEncoder: {
        const auto model = open(folder, Purpose::kEmbed);
        HiddenPass pass(*model);
        return run(*model, pass, text);
      }
      case ModelClass::kPretraining:
      case ModelClass::kMaskedLanguageModel: {
        const auto model = open(folder, Purpose::kFill);
        WordsPass pass(*model);
        return true_words(run(*model, pass, text), model->definition());
      }
      case ModelClass::kQuestionAnswering: {
        const auto model = open(folder, Purpose::kAnswer);
        bert::QuestionAnsweringModel task(model->config(), model->parameters());
        TaskPass pass("answers", task);
        return run(*model, pass, text);
      }
      case ModelClass::kClassification:
      case ModelClass::kMultipleChoice: {
        const auto expected = record["outputs"][text]["logits"].size();
        const auto model = open(folder, Purpose::kClassify, static_cast<int64_t>(expected));
        bert::ClassificationModel task(model->config(), model->parameters());
        TaskPass pass("classes", task);
        return run(*model, pass, text);
      }
      case ModelClass::kTokenClassification: {
        const auto logits = static_cast<int64_t>(record["outputs"][text]["logits"].size());
        const auto model = open(folder, Purpose::kTag, logits / batch(text).tokens());
        bert::TokenClassificationModel task(model->config(), model->parameters());
        TaskPass pass("tags", task);
        return run(*model, pass, text);
      }
      default:
        return std::nullopt;
    }
  }

  /// The logits of the words, without those of the rows that pad the vocabulary.
  static std::vector<float> true_words(const std::vector<float>& padded,
                                       const ModelDefinition& definition) {
    const auto row = static_cast<size_t>(definition.config().vocab_size);
    const auto words = static_cast<size_t>(definition.vocabulary().size());
    std::vector<float> logits;
    for (size_t i = 0; i < padded.size(); ++i) {
      if (i % row < words) logits.push_back(padded[i]);
    }
    return logits;
  }

  /// The values of transformers in the order of ours.
  static std::vector<float> expected(const Json& outputs) {
    if (outputs.contains("start_logits")) {
      std::vector<float> both;
      for (size_t i = 0; i < outputs["start_logits"].size(); ++i) {
        both.push_back(outputs["start_logits"][i].get<float>());
        both.push_back(outputs["end_logits"][i].get<float>());
      }
      return both;
    }
    for (const char* key : {"last_hidden_state", "prediction_logits", "logits"}) {
      if (outputs.contains(key)) return outputs[key].get<std::vector<float>>();
    }
    return {};
  }

  cpu::CpuDevice device_;
  Json all_ = fixture();
};

TEST_F(EncoderTypes, ComputeWhatTransformersComputes) {
  int64_t compared = 0;
  for (const Json& record : all_["models"]) {
    SCOPED_TRACE(record["folder"].get<std::string>());
    for (size_t text = 0; text < all_["ids"].size(); ++text) {
      const auto found = compute(record, text);
      if (!found) continue;
      const std::vector<float> values = expected(record["outputs"][text]);
      ASSERT_EQ(found->size(), values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_NEAR((*found)[i], values[i], 1e-5 * (1 + std::abs(values[i]))) << text << ": " << i;
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 76);
}

TEST_F(EncoderTypes, EveryFolderSaysItsClassAndHasNoUnknownKey) {
  for (const Json& record : all_["models"]) {
    const auto folder = record["folder"].get<std::string>();
    const ModelDefinition definition(files_of(folder));
    EXPECT_EQ(definition.head().architecture, record["class"].get<std::string>()) << folder;
    EXPECT_EQ(bert::load_config_file(kFolder + folder + "/config.json").note, "");
    const bert::WeightFile weights(kFolder + folder);
    const ModelClass model = bert::model_class_of(weights, definition.head().architecture);
    EXPECT_EQ(bert::architecture(model, definition.config()), record["class"].get<std::string>());
  }
}

TEST_F(EncoderTypes, LabelsOfTheConfigNameTheClasses) {
  const ModelFiles files = files_of("single_label_classification");
  const ModelDefinition definition(files);
  EXPECT_EQ(read_labels(files, definition.head()),
            (std::vector<std::string>{"bad", "fair", "good"}));
  EXPECT_EQ(definition.head().finetuning_task, "reviews");
  EXPECT_EQ(definition.head().problem_type, "single_label_classification");
}

}  // namespace
}  // namespace bertha::infer
