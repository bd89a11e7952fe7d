// Token classification as a call, against transformers (fixtures/README.md).

#include "infer/tag.h"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "support/paths.h"

namespace bertha::infer {
namespace {

using Json = nlohmann::json;

class TagTest : public testing::Test {
 protected:
  TagTest() {
    std::ifstream file(test::tests_path("infer/fixtures/tagger.json"));
    fixture_ = Json::parse(file);
    model_ = Model::open({.weights = test::tests_path("infer/fixtures/tagger")}, device_,
                         {.purpose = Purpose::kTag, .classes = 5});
    names_ = model_->definition().head().labels;
  }

  TagTask task(int64_t max_tokens = 64, int64_t batch_windows = 4) const {
    return TagTask(*model_, {.max_tokens = max_tokens, .batch_windows = batch_windows});
  }

  std::vector<tasks::WordTokens> sentences() const {
    std::vector<tasks::WordTokens> all;
    for (const Json& one : fixture_["sentences"]) {
      all.push_back(tasks::tokens_of_words(one["words"].get<std::vector<std::string>>(),
                                           model_->tokenizer()));
    }
    return all;
  }

  cpu::CpuDevice device_;
  Json fixture_;
  std::unique_ptr<Model> model_;
  std::vector<std::string> names_;
};

TEST_F(TagTest, WordsGetTheLabelsThatTransformersGivesTheirFirstTokens) {
  const std::vector<TagResult> results = task().run(sentences());
  ASSERT_EQ(results.size(), fixture_["sentences"].size());
  for (size_t i = 0; i < results.size(); ++i) {
    const Json& expected = fixture_["sentences"][i];
    SCOPED_TRACE(expected["words"].dump());
    ASSERT_EQ(results[i].labels.size(), expected["labels"].size());
    for (size_t w = 0; w < results[i].labels.size(); ++w) {
      EXPECT_EQ(names_[static_cast<size_t>(results[i].labels[w])],
                expected["labels"][w].get<std::string>());
      EXPECT_NEAR(results[i].probabilities[w], expected["scores"][w].get<double>(), 1e-5);
    }
  }
}

TEST_F(TagTest, EntitiesOfATextAreThoseOfTransformersPipeline) {
  for (const Json& one : fixture_["texts"]) {
    const auto text = one["text"].get<std::string>();
    SCOPED_TRACE(text);
    std::vector<text::TokenOffset> places;
    const tasks::WordTokens words = tasks::tokens_of_text(text, model_->tokenizer(), places);
    const TagResult result = task().run({&words, 1}).at(0);
    const std::vector<TagEntity> entities = entities_of(result, places, names_);
    ASSERT_EQ(entities.size(), one["entities"].size());
    for (size_t i = 0; i < entities.size(); ++i) {
      const Json& expected = one["entities"][i];
      EXPECT_EQ(entities[i].type, expected["entity_group"].get<std::string>());
      EXPECT_EQ(entities[i].begin, expected["start"].get<int64_t>());
      EXPECT_EQ(entities[i].end, expected["end"].get<int64_t>());
      EXPECT_NEAR(entities[i].probability, expected["score"].get<double>(), 1e-5);
    }
  }
}

TEST_F(TagTest, ResultsDoNotDependOnTheBatch) {
  const std::vector<TagResult> alone = task(64, 1).run(sentences());
  const std::vector<TagResult> together = task(64, 100).run(sentences());
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].labels, together[i].labels);
    for (size_t w = 0; w < alone[i].labels.size(); ++w) {
      EXPECT_NEAR(alone[i].probabilities[w], together[i].probabilities[w], 1e-6);
    }
  }
}

TEST_F(TagTest, LongSentenceLosesNoWord) {
  std::vector<std::string> words;
  for (int i = 0; i < 200; ++i) words.emplace_back(i % 3 == 0 ? "kings" : "Paris");
  const std::vector<tasks::WordTokens> all = {
      tasks::tokens_of_words(words, model_->tokenizer()),
      {},
      tasks::tokens_of_words(std::vector<std::string>{"the"}, model_->tokenizer())};
  const std::vector<TagResult> results = task(20).run(all);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].labels.size(), 200U);
  EXPECT_TRUE(results[1].labels.empty());
  EXPECT_EQ(results[2].labels.size(), 1U);
}

}  // namespace
}  // namespace bertha::infer
