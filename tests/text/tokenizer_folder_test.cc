// A folder's tokenizer files: what contradicts itself or is not supported is refused by name.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "support/files.h"
#include "text/model_input.h"
#include "text/tokenizer_export.h"
#include "text/tokenizer_file.h"

namespace bertha::text {
namespace {

using Json = nlohmann::json;

constexpr const char* kLines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nking\n##s\n";

class TokenizerFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& contents) const {
    test::write_all(folder_.file(name), contents);
  }
  std::string path() const { return folder_.file(""); }
  TokenizerFile load() const { return load_tokenizer(path()); }
  std::string error() const {
    try {
      load();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  /// The error of a tokenizer.json in which `patch` (RFC 7396) has changed BERT's own.
  std::string json_error(const Json& patch) const {
    write("tokenizer.json", patched(patch));
    return error();
  }
  static std::string patched(const Json& patch) {
    Json root = Json::parse(tokenizer_json(Vocabulary::parse(kLines), {}));
    root.merge_patch(patch);
    return root.dump();
  }
  std::string config_error(const std::string& config) const {
    write("vocab.txt", kLines);
    write("tokenizer_config.json", config);
    return error();
  }

  test::TemporaryFolder folder_;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(TokenizerFolder, MissingFilesAreNamed) {
  EXPECT_HAS(error(), "neither vocab.txt nor tokenizer.json");
}

// transformers 4 and 5 lower the case of such a folder, the tokenizer.json does not.
TEST_F(TokenizerFolder, MissingDoLowerCaseOfABertClassIsANoteWhereTheJsonIsCased) {
  for (const bool lowercase : {false, true}) {
    write("tokenizer.json", patched({{"normalizer", {{"lowercase", lowercase}}}}));
    write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizerFast"})");
    const TokenizerFile file = load();
    EXPECT_EQ(file.notes.size(), lowercase ? 0U : 1U);
    if (!lowercase) {
      EXPECT_HAS(file.notes.at(0), "do_lower_case is missing, and transformers");
    }
    write("tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
    EXPECT_TRUE(load().notes.empty());
  }
}

TEST_F(TokenizerFolder, PartsOfOtherTypesAreRefusedWithTheSupportedOnes) {
  const std::string normalizer = json_error({{"normalizer", {{"type", "Precompiled"}}}});
  EXPECT_HAS(normalizer, "tokenizer.json: normalizer of type \"Precompiled\"; supported: ");
  EXPECT_HAS(normalizer, "BertNormalizer, Sequence, NFC, NFD, NFKC, NFKD, Lowercase");
  EXPECT_HAS(json_error({{"pre_tokenizer", {{"type", "ByteLevel"}}}}),
             "pre_tokenizer of type \"ByteLevel\"; supported: BertPreTokenizer, Whitespace");
  EXPECT_HAS(json_error({{"post_processor", {{"type", "ByteLevel"}}}}),
             "post_processor of type \"ByteLevel\"; supported: TemplateProcessing");
  EXPECT_HAS(json_error({{"model", {{"type", "Unigram"}}}}),
             "a tokenizer of type Unigram; supported: WordPiece");
  EXPECT_HAS(json_error({{"model", {{"type", "Unigram"}, {"vocab", Json::array()}}}}),
             "a tokenizer of type Unigram; supported: WordPiece");
  EXPECT_HAS(json_error({{"model", {{"type", nullptr}, {"merges", Json::array()}}}}),
             "a tokenizer of unknown type");
  EXPECT_HAS(json_error({{"normalizer", {{"type", nullptr}}}}), "normalizer of type \"\"");
  const Json regex = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}, {"content", "b"}};
  EXPECT_HAS(json_error({{"normalizer", regex}}), "pattern {\"Regex\": …}; supported: {\"String\"");
}

TEST_F(TokenizerFolder, MembersOfAWrongTypeAreRefused) {
  EXPECT_HAS(json_error({{"normalizer", {{"lowercase", "yes"}}}}), "lowercase is a string");
  EXPECT_HAS(json_error({{"model", {{"max_input_chars_per_word", 0}}}}),
             "max_input_chars_per_word is 0, expected 1 to");
  EXPECT_HAS(json_error({{"truncation", {{"max_length", -1}}}}), "max_length is -1");
  EXPECT_HAS(json_error({{"truncation", {{"strategy", "Half"}}}}), "Half; supported");
  EXPECT_HAS(json_error({{"added_tokens", {{{"id", 5}}}}}), "an added token of 0 bytes");
  EXPECT_HAS(json_error({{"added_tokens", {{{"id", 20}, {"content", "[NEW]"}}}}}),
             "\"[NEW]\" has the id 20, expected 8");
  const Json cls = {{"special_tokens", {{"[CLS]", {{"ids", {99}}}}}}};
  EXPECT_HAS(json_error({{"post_processor", cls}}), "has the id 99, expected one below 8");
}

TEST_F(TokenizerFolder, DeepNestingIsRefusedBeforeItIsParsed) {
  Json deep = {{"type", "Lowercase"}};
  for (int i = 0; i < 20; ++i) deep = {{"type", "Sequence"}, {"normalizers", Json::array({deep})}};
  EXPECT_HAS(json_error({{"normalizer", deep}}), "nested more than 8 deep");
  write("tokenizer.json", "{\"model\": " + std::string(100'000, '['));
  EXPECT_HAS(error(), "expected a JSON object, nested 256 deep at most");
}

TEST_F(TokenizerFolder, NumbersBeyondInt64AreNoIds) {
  constexpr uint64_t kMinusOne = 18446744073709551615U;  // as a signed number
  const Json cls = {{"special_tokens", {{"[CLS]", {{"ids", {kMinusOne}}}}}}};
  EXPECT_HAS(json_error({{"post_processor", cls}}), "has the id 18446744073709551615");
  const Json bert = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", kMinusOne}}, {"cls", {"[CLS]", 2}}};
  Json root = Json::parse(patched(Json::object()));
  root["post_processor"] = bert;
  write("tokenizer.json", root.dump());
  EXPECT_HAS(error(), "sep is no pair of a token and its id");
  EXPECT_HAS(json_error({{"added_tokens", {{{"id", kMinusOne}, {"content", "[NEW]"}}}}}),
             "id is 18446744073709551615");
  write("tokenizer.json", patched(Json::object()));
  write("added_tokens.json", Json{{"[NEW]", kMinusOne}}.dump());
  EXPECT_HAS(error(), "\"[NEW]\" has no id but 18446744073709551615");
}

TEST_F(TokenizerFolder, LengthBeyondInt64IsNoLimit) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json", R"({"model_max_length": 18446744073709551615})");
  EXPECT_FALSE(load().settings.model_max_length.has_value());
}

TEST_F(TokenizerFolder, NormalizersThatMultiplyATextAreStopped) {
  Json steps = Json::array();
  const Json doubling = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  for (int i = 0; i < 40; ++i) steps.push_back(doubling);
  Json root = Json::parse(patched(Json::object()));
  root["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  write("tokenizer.json", root.dump());
  const TokenizerFile file = load();
  const Tokenizer tokenizer(file.vocabulary, file.options(true));
  std::vector<int32_t> ids;
  EXPECT_THROW(tokenizer.encode("a", ids), Error);
}

TEST_F(TokenizerFolder, ConfigValuesThatAreNotImplementedAreRefused) {
  EXPECT_HAS(config_error(R"({"do_basic_tokenize": false})"),
             "do_basic_tokenize is false; supported: true");
  EXPECT_HAS(config_error(R"({"padding_side": "left"})"), "supported: \"right\"");
  EXPECT_HAS(config_error(R"({"never_split": ["a"]})"), "never_split is [\"a\"]");
  EXPECT_HAS(config_error(R"({"auto_map": {"AutoTokenizer": ["x.y", null]}})"), "auto_map is");
  EXPECT_HAS(config_error(R"({"tokenizer_class": "XLMRobertaTokenizer"})"),
             "tokenizer_class XLMRobertaTokenizer; supported: BertTokenizer");
  EXPECT_HAS(config_error(R"({"tokenizer_class": "BertJapaneseTokenizer"})"),
             "tokenizer_class BertJapaneseTokenizer");
  EXPECT_HAS(config_error(R"({"tokenizer_class": "PreTrainedTokenizerFast"})"),
             "needs a tokenizer.json");
  EXPECT_HAS(config_error(R"({"do_lower_case": "yes"})"), "do_lower_case is a string");
  EXPECT_HAS(config_error(R"({"truncation_side": "middle"})"), "truncation_side is middle");
  EXPECT_HAS(config_error("[]"), "expected a JSON object");
}

TEST_F(TokenizerFolder, UnknownKeysAreReportedOnce) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json", R"({"do_lower_case": true, "a_new_key": 1, "another": {}})");
  const TokenizerFile file = load();
  ASSERT_EQ(file.notes.size(), 1U);
  EXPECT_HAS(file.notes[0],
             "tokenizer_config.json: unknown and without effect: a_new_key, another");
}

TEST_F(TokenizerFolder, TokenizerJsonGoesBeforeVocabularyAndConfig) {
  write("vocab.txt", kLines);
  Json cased = {{"normalizer", {{"lowercase", false}}}};
  write("tokenizer.json", patched(cased));
  EXPECT_EQ(load().lower_case, false);
  EXPECT_EQ(load_tokenizer(folder_.file("vocab.txt")).lower_case, false);
}

TEST_F(TokenizerFolder, FilesThatContradictEachOtherAreRefused) {
  write("tokenizer.json", patched(Json::object()));
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nqueen\n##s\n");
  EXPECT_HAS(error(), "piece 6 is \"king\", but \"queen\"");
  write("vocab.txt", std::string(kLines) + "more\n");
  EXPECT_HAS(error(), "8 pieces, but");
  EXPECT_HAS(config_error(R"({"do_lower_case": false})"), "do_lower_case is false, but");
  EXPECT_HAS(config_error(R"({"strip_accents": false})"), "strip_accents is false, but");
  EXPECT_HAS(config_error(R"({"tokenize_chinese_chars": false})"), "tokenize_chinese_chars");
  EXPECT_HAS(config_error(R"({"unk_token": "the"})"), "unk_token is \"the\", but \"[UNK]\"");
  const std::string decoder = R"({"added_tokens_decoder": {"4": {"content": "[MASK]",
      "lstrip": true, "normalized": false, "special": true}}})";
  EXPECT_HAS(config_error(decoder), "\"[MASK]\" has other properties");
  write("special_tokens_map.json", R"({"cls_token": "[CLS]"})");
  EXPECT_HAS(config_error(R"({"cls_token": "the"})"), "cls_token is \"the\", but \"[CLS]\"");
}

TEST_F(TokenizerFolder, LinesOfAddedTokensBehindTheVocabularyAreNoContradiction) {
  const Json added = {{{"id", 8}, {"content", "[NEW]"}}};
  write("tokenizer.json", patched({{"added_tokens", added}}));
  write("vocab.txt", std::string(kLines) + "[NEW]\n");
  EXPECT_EQ(load().vocabulary.size(), 9);
}

TEST_F(TokenizerFolder, PiecesThatEndInWhiteSpaceAreStrippedInVocabularyFilesAlone) {
  Json root = Json::parse(patched(Json::object()));
  root["model"]["vocab"]["\u2028"] = 8;
  root["model"]["vocab"]["##\u2028"] = 9;
  write("tokenizer.json", root.dump());
  write("vocab.txt", std::string(kLines) + "\u2028\n##\u2028\n");
  EXPECT_EQ(load().vocabulary.piece(8), "\u2028");
  EXPECT_EQ(load().vocabulary.piece(9), "##\u2028");
}

TEST_F(TokenizerFolder, LengthsAndSidesAreRead) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json", R"({"model_max_length": 3, "truncation_side": "left"})");
  const TokenizerFile file = load();
  const Tokenizer tokenizer(file.vocabulary, file.options(true));
  EXPECT_EQ(allowed_tokens(tokenizer, 512), 3);
  EXPECT_EQ(model_input(tokenizer, "the king", std::nullopt, 3).ids,
            (std::vector<int32_t>{2, 6, 3}));
  write("tokenizer_config.json", R"({"model_max_length": 1e30})");
  EXPECT_FALSE(load().settings.model_max_length.has_value());
}

TEST_F(TokenizerFolder, WithoutSegmentsAmongTheInputsAllTokensAreInTheFirst) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json", R"({"model_input_names": ["input_ids", "attention_mask"]})");
  const TokenizerFile file = load();
  const Tokenizer tokenizer(file.vocabulary, file.options(true));
  EXPECT_EQ(model_input(tokenizer, "the", "king", 10).segments, std::vector<int32_t>(5, 0));
}

TEST_F(TokenizerFolder, FolderIsTheSameAfterWritingAndReading) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json",
        R"({"strip_accents": false, "cls_token": "the", "additional_special_tokens": ["[NEW]"]})");
  const TokenizerFile first = load();
  const TokenizerOptions options = first.options(true);
  test::TemporaryFolder copy;
  test::write_all(copy.file("vocab.txt"), vocabulary_text(first.vocabulary, options));
  test::write_all(copy.file("tokenizer.json"), tokenizer_json(first.vocabulary, options));
  test::write_all(copy.file("tokenizer_config.json"),
                  tokenizer_config_json(first.vocabulary, options, 512));
  const TokenizerFile again = load_tokenizer(copy.file(""));
  EXPECT_EQ(again.settings.added_tokens.size(), first.settings.added_tokens.size());
  EXPECT_EQ(again.settings.names.cls, "the");
  EXPECT_EQ(again.settings.sequence, first.settings.sequence);
  EXPECT_EQ(again.settings.bert_normalizer()->strip_accents, false);
  EXPECT_TRUE(again.notes.empty());
}

}  // namespace
}  // namespace bertha::text
