// Many small tokenizers against Hugging Face's (fixtures/make_tokenizer_variants.py).

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "fixture.h"
#include "support/files.h"
#include "text/model_input.h"
#include "text/tokenizer_export.h"
#include "text/tokenizer_file.h"
#include "text/tokenizer_pipeline.h"

namespace bertha::text {
namespace {

using Json = nlohmann::json;

const Json& table() {
  static const Json kTable = Json::parse(std::ifstream(test::fixture("tokenizer_variants.json")));
  return kTable;
}

Json vocab_json() {
  Json vocab = Json::object();
  for (const Json& piece : table().at("vocab")) vocab[piece.get<std::string>()] = vocab.size();
  return vocab;
}

std::string vocab_lines() {
  std::string lines;
  for (const Json& piece : table().at("vocab")) lines += piece.get<std::string>() + "\n";
  return lines;
}

class TokenizerVariants : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& contents) const {
    test::write_all(folder_.file(name), contents);
    return folder_.file(name);
  }
  /// The tokenizer of a description without its vocabulary.
  TokenizerFile load(Json description) const {
    description["model"]["vocab"] = vocab_json();
    return load_tokenizer(write("tokenizer.json", description.dump()));
  }

  test::TemporaryFolder folder_;
};

std::string text_at(const Json& index) {
  return table().at("texts").at(index.get<size_t>()).get<std::string>();
}

/// As the table has it: ids, segments, and the offsets one behind the other.
Json encoding_of(const ModelInput& input) {
  Json offsets = Json::array();
  for (const TokenOffset& offset : input.offsets) {
    offsets.push_back(offset.begin);
    offsets.push_back(offset.end);
  }
  return Json::array({input.ids, input.segments, offsets});
}

Json encode(const Tokenizer& tokenizer, const std::string& text,
            std::optional<std::string_view> pair) {
  const auto& truncation = tokenizer.settings().truncation;
  const int64_t most = truncation ? truncation->max_tokens : INT32_MAX;
  try {
    return encoding_of(model_input(tokenizer, text, pair, most));
  } catch (const Error&) {
    return nullptr;
  }
}

void expect_case(const Tokenizer& tokenizer, const Json& expected, const std::string& text,
                 std::optional<std::string_view> pair) {
  const Json wanted =
      expected.get<int>() < 0 ? Json(nullptr) : table().at("encodings").at(expected.get<size_t>());
  EXPECT_EQ(encode(tokenizer, text, pair).dump(), wanted.dump()) << text;
}

void expect_all(const Tokenizer& tokenizer, const Json& variant) {
  const Json& cases = variant.at("cases");
  for (size_t i = 0; i < cases.size(); ++i) {
    expect_case(tokenizer, cases[i], text_at(i), std::nullopt);
  }
  for (size_t i = 0; i < variant.at("pairs").size(); ++i) {
    const Json& pair = table().at("pairs").at(i);
    const std::string second = text_at(pair[1]);
    expect_case(tokenizer, variant.at("pairs")[i], text_at(pair[0]), second);
  }
}

TEST_F(TokenizerVariants, EveryVariantGivesTheInputsOfHuggingFace) {
  ASSERT_GT(table().at("variants").size(), 100U);
  for (const Json& variant : table().at("variants")) {
    SCOPED_TRACE(variant.at("name").get<std::string>());
    const TokenizerFile file = load(variant.at("tokenizer"));
    EXPECT_TRUE(file.notes.empty());
    expect_all(Tokenizer(file.vocabulary, file.options(true)), variant);
  }
}

TEST_F(TokenizerVariants, WrittenTokenizerGivesTheSameInputs) {
  for (const Json& variant : table().at("variants")) {
    SCOPED_TRACE(variant.at("name").get<std::string>());
    const TokenizerFile first = load(variant.at("tokenizer"));
    const TokenizerOptions options = first.options(true);
    test::TemporaryFolder copy;
    test::write_all(copy.file("tokenizer.json"), tokenizer_json(first.vocabulary, options));
    test::write_all(copy.file("vocab.txt"), vocabulary_text(first.vocabulary, options));
    // A file of its own has names that transformers would add: only the tokens must stay.
    const TokenizerFile again = load_tokenizer(copy.file("tokenizer.json"));
    expect_all(Tokenizer(again.vocabulary, again.options(true)), variant);
  }
}

TEST_F(TokenizerVariants, PipelineAndFastPathAgreeOnBertsOwnSettings) {
  const Json cases = Json::parse(std::ifstream(test::fixture("cases.json")));
  for (const bool lower : {true, false}) {
    const Vocabulary vocabulary = Vocabulary::load(test::fixture("vocab.txt"));
    const TokenizerPipeline pipeline(
        vocabulary, std::make_shared<const TokenizerSettings>(
                        TokenizerSettings::plain(vocabulary, {.lowercase = lower})));
    for (const Json& c : cases) {
      if (c.at("lower_case") != lower) continue;
      std::vector<int32_t> ids;
      std::vector<TokenOffset> offsets;
      pipeline.encode(c.at("text").get<std::string>(), ids, &offsets);
      Json pairs = Json::array();
      for (const TokenOffset& offset : offsets) pairs.push_back({offset.begin, offset.end});
      EXPECT_EQ(Json(ids), c.at("hf")) << c.at("text");
      EXPECT_EQ(pairs, c.at("offsets")) << c.at("text");
    }
  }
}

TEST_F(TokenizerVariants, FoldersGiveTheIdsOfTransformers) {
  for (const Json& folder : table().at("folders")) {
    SCOPED_TRACE(folder.at("name").get<std::string>());
    test::TemporaryFolder files;
    test::write_all(files.file("vocab.txt"), vocab_lines());
    for (const auto& [name, value] : folder.at("files").items()) {
      test::write_all(files.file(name), value.dump());
    }
    const TokenizerFile file = load_tokenizer(files.file("vocab.txt"));
    EXPECT_TRUE(file.notes.empty());
    const Tokenizer tokenizer(file.vocabulary, file.options(true));
    for (size_t i = 0; i < folder.at("cases").size(); ++i) {
      const std::string text = text_at(table().at("folder_texts")[i]) + " [NEW] newword";
      EXPECT_EQ(Json(model_input(tokenizer, text, std::nullopt, INT32_MAX).ids),
                folder.at("cases")[i])
          << text;
    }
  }
}

}  // namespace
}  // namespace bertha::text
