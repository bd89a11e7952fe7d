// The tokenizer on real text: Hugging Face's test vectors, and digests over all of SQuAD.

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "fixture.h"
#include "sha256.h"
#include "support/files.h"
#include "text/tokenizer.h"

namespace bertha::text {
namespace {

using Ids = std::vector<int32_t>;
using nlohmann::json;

class Vectors : public testing::TestWithParam<const char*> {};

TEST_P(Vectors, EqualHuggingFacesIds) {
  const std::string data = test::real_data("");
  const std::string model = GetParam();
  const std::string vectors = data + "/tokenizer/hf-tokenizers-0.22.2-bert-base-" + model;
  if (data.empty()) GTEST_SKIP() << "no real data";
  const Vocabulary vocabulary = Vocabulary::load(data + "/vocab/bert-base-" + model + "-vocab.txt");
  const Tokenizer tokenizer(vocabulary, {.lower_case = model == "uncased"});
  std::istringstream lines(test::read_all(vectors + ".jsonl"));
  int64_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const json vector = json::parse(line);
    const std::string text = vector.at("text");
    Ids ids;
    tokenizer.encode(text, ids);
    ASSERT_EQ(ids, vector.at("ids").get<Ids>()) << text;
    Ids again;
    std::vector<TokenOffset> offsets;
    tokenizer.encode(text, again, offsets);
    ASSERT_EQ(again, ids) << text;
    if (!vector.contains("offsets")) continue;
    std::vector<TokenOffset> expected;
    for (const json& pair : vector.at("offsets")) expected.push_back({pair[0], pair[1]});
    ASSERT_EQ(offsets, expected) << text;
  }
  EXPECT_GT(count, 1000);
}

INSTANTIATE_TEST_SUITE_P(Models, Vectors,
                         testing::Values("uncased", "cased", "chinese", "multilingual-cased"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

// Token count and digest over many texts; ids are 16-bit little-endian numbers.
class IdDigest {
 public:
  explicit IdDigest(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  void add(const std::string& text) {
    ids_.clear();
    tokenizer_.encode(text, ids_);
    std::string bytes;
    for (const int32_t id : ids_) {
      bytes.push_back(static_cast<char>(id & 0xFF));
      bytes.push_back(static_cast<char>((id >> 8) & 0xFF));
    }
    sha256_.add(bytes);
    tokens_ += static_cast<int64_t>(ids_.size());
  }
  int64_t tokens() const { return tokens_; }
  std::string hex() { return sha256_.hex(); }

 private:
  const Tokenizer& tokenizer_;
  Ids ids_;
  test::Sha256 sha256_;
  int64_t tokens_ = 0;
};

// SQuAD is English with some accents, so both sets of rules give equal ids for all of it.
TEST(Squad, DigestsEqualHuggingFaces) {
  const std::string data = test::real_data("");
  if (data.empty()) GTEST_SKIP() << "no real data";
  const json expected =
      json::parse(test::read_all(data + "/tokenizer/squad-full-tokenization-digests.json"));
  for (const std::string part : {"dev", "train"}) {
    const json squad = json::parse(test::read_all(data + "/squad/" + part + "-v1.1.json"));
    for (const std::string model : {"uncased", "cased"}) {
      const Vocabulary vocabulary =
          Vocabulary::load(data + "/vocab/bert-base-" + model + "-vocab.txt");
      for (const TokenRules rules : {TokenRules::kHf, TokenRules::kRecipe}) {
        const Tokenizer tokenizer(vocabulary, {.lower_case = model == "uncased", .rules = rules});
        IdDigest contexts(tokenizer);
        IdDigest questions(tokenizer);
        for (const json& article : squad.at("data")) {
          for (const json& paragraph : article.at("paragraphs")) {
            contexts.add(paragraph.at("context"));
            for (const json& qa : paragraph.at("qas")) questions.add(qa.at("question"));
          }
        }
        const json& digest = expected.at(model + "/" + part);
        EXPECT_EQ(contexts.tokens(), digest.at("context_tokens"));
        EXPECT_EQ(questions.tokens(), digest.at("question_tokens"));
        EXPECT_EQ(contexts.hex(), digest.at("context_ids_u16le_sha256").get<std::string>());
        EXPECT_EQ(questions.hex(), digest.at("question_ids_u16le_sha256").get<std::string>());
      }
    }
  }
}

TEST(Sha256, EqualsTheExampleInTheStandard) {
  test::Sha256 sha256;
  sha256.add("a");
  sha256.add("bc");
  EXPECT_EQ(sha256.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace bertha::text
