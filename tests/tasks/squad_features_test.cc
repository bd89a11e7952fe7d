#include "tasks/squad/squad_features.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "support/files.h"
#include "support/paths.h"
#include "text/sha256.h"

namespace bertha::tasks {
namespace {

const std::string kFixtures = test::tests_path("tasks/fixtures/squad/");

/// Digest of all windows; fixtures/squad/README.md describes it.
std::string digest(const SquadFeatures& features, bool training) {
  std::string stream;
  const auto put = [&stream](int64_t value) {
    const auto word = static_cast<int32_t>(value);
    stream.append(reinterpret_cast<const char*>(&word), sizeof(word));
  };
  for (const SquadWindow& window : features.windows()) {
    RaggedBatch batch;
    batch.clear();
    features.append(window, batch);
    const int64_t offset = features.passage_offset(window);
    put(window.example);
    put(&window - features.windows().data() - features.example_of(window).first_window);
    put(batch.tokens());
    for (const int32_t id : batch.ids) put(id);
    for (const int32_t segment : batch.segments) put(segment);
    put(offset);
    put(window.length);
    for (int64_t i = 0; i < window.length; ++i) {
      put(features.passage_of(window).word_of_token[static_cast<size_t>(window.begin + i)]);
    }
    for (int64_t i = 0; i < window.length; ++i) put(features.is_max_context(window, offset + i));
    if (training) {
      put(window.start_position);
      put(window.end_position);
    }
  }
  test::Sha256 sum;
  sum.add(stream);
  return sum.hex();
}

class SquadFeaturesTest : public testing::Test {
 protected:
  SquadFeatureOptions options(bool training) const {
    return {.max_seq_length = 64, .doc_stride = 24, .max_query_length = 16, .training = training};
  }
  text::Vocabulary vocabulary_ = text::Vocabulary::load(kFixtures + "vocab.txt");
  text::Tokenizer tokenizer_{vocabulary_, {.rules = text::TokenRules::kRecipe}};
  SquadFile file_ = read_squad(kFixtures + "small.json");
};

TEST_F(SquadFeaturesTest, PredictionFeaturesEqualTheReferences) {
  const SquadFeatures features(file_, tokenizer_, options(false));
  EXPECT_EQ(features.examples().size(), 13U);
  EXPECT_EQ(features.windows().size(), 119U);
  EXPECT_EQ(digest(features, false),
            "88146e6e7c4b5540ed94c68296730ce70fbcc8e43c1e2952ef2c961c86997ef3");
  EXPECT_EQ(
      features.problems().lines(),
      std::vector<std::string>{"question about an empty passage, skipped: 1, the first at d1"});
}

TEST_F(SquadFeaturesTest, TrainingFeaturesEqualTheReferences) {
  const SquadFeatures features(file_, tokenizer_, options(true));
  EXPECT_EQ(features.windows().size(), 116U);
  EXPECT_EQ(digest(features, true),
            "99df8d20d0a4eaedf6ea18d4fa349a9a6aa3ba4008d3199eb29af753601cc7d9");
  EXPECT_EQ(features.problems().lines(),
            (std::vector<std::string>{
                "answer not found in its passage, question skipped: 1, the first at b5",
                "answer outside its passage, question skipped: 1, the first at d1"}));
}

TEST_F(SquadFeaturesTest, FeaturesDoNotDependOnThreads) {
  SquadFeatureOptions threaded = options(true);
  threaded.threads = 4;
  EXPECT_EQ(digest(SquadFeatures(file_, tokenizer_, threaded), true),
            digest(SquadFeatures(file_, tokenizer_, options(true)), true));
}

TEST_F(SquadFeaturesTest, TokensEqualThoseOfTheBatch) {
  const SquadFeatures features(file_, tokenizer_, options(false));
  for (const SquadWindow& window : features.windows()) {
    RaggedBatch batch;
    batch.clear();
    features.append(window, batch);
    ASSERT_EQ(batch.tokens(), features.length_of(window));
    ASSERT_LE(batch.tokens(), 64);
    for (int64_t i = 0; i < batch.tokens(); ++i) {
      ASSERT_EQ(features.token_at(window, i), batch.ids[static_cast<size_t>(i)]);
    }
  }
}

TEST_F(SquadFeaturesTest, TrainingNeedsExactlyOneAnswer) {
  file_.questions[1].answers.clear();
  try {
    const SquadFeatures features(file_, tokenizer_, options(true));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("question a2 has 0 answers"), std::string::npos);
  }
}

TEST_F(SquadFeaturesTest, ImpossibleQuestionsPointAtTheFirstToken) {
  file_.questions[1].answers.clear();
  file_.questions[1].impossible = true;
  SquadFeatureOptions version_2 = options(true);
  version_2.version_2 = true;
  const SquadFeatures features(file_, tokenizer_, version_2);
  const SquadExample& example = features.examples()[1];
  ASSERT_GT(example.windows, 0);
  for (int64_t i = 0; i < example.windows; ++i) {
    EXPECT_EQ(features.windows()[static_cast<size_t>(example.first_window + i)].end_position, 0);
  }
}

TEST_F(SquadFeaturesTest, HostileQuestionsAndAnswersAreCounted) {
  file_.questions[0].text = std::string(1 << 20, 'k') + " \xF0\x9F";
  file_.questions[1].answers[0].start = int64_t{1} << 40;
  file_.questions[2].answers[0].start = -5;
  file_.questions[3].answers[0].text.clear();
  const SquadFeatures features(file_, tokenizer_, options(true));
  EXPECT_EQ(features.problems().total(), 5);
  for (const SquadWindow& window : features.windows()) EXPECT_LE(features.length_of(window), 64);
}

TEST(SquadFeatures, LengthsWithoutTokensForThePassageAreRejected) {
  EXPECT_THROW(check({.max_seq_length = 67, .max_query_length = 64}), Error);
  EXPECT_NO_THROW(check({.max_seq_length = 68, .max_query_length = 64}));
  EXPECT_THROW(check({.doc_stride = 0}), Error);
  EXPECT_THROW(check({.max_query_length = -1}), Error);
}

TEST(SquadFeatures, FeaturesOfRealFilesEqualTheReferences) {
  const std::filesystem::path data = test::real_data("");
  if (!std::filesystem::exists(data / "squad")) GTEST_SKIP() << "no " << data / "squad";
  struct Case {
    const char* file;
    const char* vocabulary;
    bool lower_case;
    bool training;
    size_t questions;
    size_t windows;
    const char* digest;
  };
  const Case cases[] = {{"dev-v1.1.json", "bert-base-uncased-vocab.txt", true, false, 10570, 10833,
                         "d212a4639086dbb88a94147e8923485dee6c8ea4869dd3a9a31dbe51abc05971"},
                        {"train-v1.1.json", "bert-base-uncased-vocab.txt", true, true, 5000, 5103,
                         "de033e6d873b456fda8fa42fdb7582a12e06a433fc29e3dc81b3aadf5851f701"},
                        {"train-v1.1.json", "bert-base-cased-vocab.txt", false, true, 2000, 2055,
                         "1dae97df0e3e406848b1c84930b798c9d93c94b4dc4392b77267e67cbb45319b"}};
  for (const Case& c : cases) {
    SquadFile file = read_squad(data / "squad" / c.file);
    EXPECT_TRUE(file.problems.empty());
    file.questions.resize(c.questions);
    const text::Vocabulary vocabulary = text::Vocabulary::load(data / "vocab" / c.vocabulary);
    const text::Tokenizer tokenizer(
        vocabulary, {.lower_case = c.lower_case, .rules = text::TokenRules::kRecipe});
    const SquadFeatures features(file, tokenizer, {.training = c.training, .threads = 2});
    EXPECT_EQ(features.examples().size(), c.questions) << c.file;
    EXPECT_EQ(features.windows().size(), c.windows) << c.file;
    EXPECT_EQ(digest(features, c.training), c.digest) << c.file << " " << c.vocabulary;
  }
}

}  // namespace
}  // namespace bertha::tasks
