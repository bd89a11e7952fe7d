#include "text/tokenizer_file.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/files.h"
#include "text/tokenizer_export.h"

namespace bertha::text {
namespace {

constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhouse\n##s\n\"{\nvögel\n";

class TokenizerFiles : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& contents) const {
    test::write_all(folder_.file(name), contents);
    return folder_.file(name);
  }
  std::string error_of(const std::string& contents) const {
    try {
      load_tokenizer(write("tokenizer.json", contents));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
};

TEST_F(TokenizerFiles, VocabularyIsEqualAfterWritingAndReadingJson) {
  const Vocabulary vocabulary = Vocabulary::parse(kVocabulary);
  const std::string json =
      tokenizer_json(vocabulary, {.lower_case = false, .max_input_chars_per_word = 77});
  const TokenizerFile file = load_tokenizer(write("tokenizer.json", json));
  EXPECT_EQ(vocabulary_text(file.vocabulary, {}), kVocabulary);
  EXPECT_EQ(file.lower_case, false);
  EXPECT_EQ(file.settings.max_input_chars_per_word, 77);
}

TEST_F(TokenizerFiles, ConfigBesideVocabularySetsLowerCase) {
  const std::string path = write("vocab.txt", kVocabulary);
  EXPECT_FALSE(load_tokenizer(path).lower_case.has_value());
  write("tokenizer_config.json",
        tokenizer_config_json(Vocabulary::parse(kVocabulary), {.lower_case = false}, 512));
  EXPECT_EQ(load_tokenizer(path).lower_case, false);
}

TEST_F(TokenizerFiles, InvalidTokenizersAreRejected) {
  const auto vocab = [](const std::string& inner) {
    return "{\"model\": {\"vocab\": " + inner + "}}";
  };
  EXPECT_NE(error_of(vocab("{\"a\": 0, \"b\": 2}")).find("id 2"), std::string::npos);
  EXPECT_NE(error_of(vocab("{\"a\": 0, \"b\": 0}")).find("same id"), std::string::npos);
  EXPECT_NE(error_of(vocab("{\"a\": -1}")).find("id -1"), std::string::npos);
  EXPECT_NE(error_of(vocab("{\"a\": 1e300}")).find("has id"), std::string::npos);
  EXPECT_NE(error_of(vocab("{\"a\\nb\": 0}")).find("line break"), std::string::npos);
  EXPECT_NE(error_of(vocab("{\" a\": 0}")).find("white space"), std::string::npos);
  EXPECT_NE(error_of(vocab("[1, 2]")).find("model.vocab"), std::string::npos);
  EXPECT_NE(error_of(vocab("{}")).find("model.vocab"), std::string::npos);
  EXPECT_NE(error_of("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}").find("BPE"),
            std::string::npos);
  EXPECT_NE(error_of("{\"model\": ").find("JSON"), std::string::npos);
  const std::string deep(200'000, '[');
  EXPECT_NE(error_of("{\"model\": " + deep).find("JSON"), std::string::npos);
}

}  // namespace
}  // namespace bertha::text
