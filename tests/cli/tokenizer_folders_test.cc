// Commands on folders whose tokenizer is not BERT's own.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/squad_tools.h"
#include "core/error.h"
#include "support/files.h"
#include "text/tokenizer_export.h"
#include "text/tokenizer_settings.h"

namespace bertha::cli {
namespace {

constexpr const char* kLines =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nking\nruns\nüber\nuber\n中\n##文\n文\n.\n";

class TokenizerFolders : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& contents) const {
    test::write_all(folder_.file(name), contents);
  }
  std::string path(const std::string& name) const { return folder_.file(name); }

  /// What a command prints when `input` is its standard input.
  std::string run(int (*command)(Arguments), const std::vector<std::string>& arguments,
                  const std::string& input = "") const {
    write("input", input);
    const int saved = ::dup(STDIN_FILENO);
    const int file = ::open(path("input").c_str(), O_RDONLY);
    ::dup2(file, STDIN_FILENO);
    ::close(file);
    testing::internal::CaptureStdout();
    std::string failure;
    try {
      EXPECT_EQ(command(arguments), 0);
    } catch (const Error& error) {
      failure = error.what();
    }
    const std::string output = testing::internal::GetCapturedStdout();
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    return failure.empty() ? output : failure;
  }
  std::string tokenize(const std::string& input, const std::vector<std::string>& arguments) const {
    return run(run_tokenize, arguments, input);
  }
  static std::string patched(const nlohmann::json& patch) {
    auto root = nlohmann::json::parse(
        text::tokenizer_json(text::Vocabulary::parse(kLines), text::TokenizerOptions{}));
    root.merge_patch(patch);
    return root.dump();
  }

  test::TemporaryFolder folder_;
};

TEST_F(TokenizerFolders, TokenizeShowsTheInputOfTheModel) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json", R"({"strip_accents": false, "tokenize_chinese_chars": false})");
  EXPECT_EQ(tokenize("ÜBER 中文\n", {"--checkpoint", path("")}),
            "2 8 10 11 3\t[CLS] über 中 ##文 [SEP]\n");
  EXPECT_EQ(tokenize("The", {"--checkpoint", path(""), "--jsonl"}),
            "{\"ids\": [2, 5, 3], \"tokens\": [\"[CLS]\", \"the\", \"[SEP]\"], "
            "\"offsets\": [[0, 0], [0, 3], [0, 0]]}\n");
  EXPECT_EQ(tokenize("ÜBER 中文\n", {"--vocab_file", path("vocab.txt")}),
            "8 10 11\tüber 中 ##文\n");
}

TEST_F(TokenizerFolders, TokenizeTakesATokenizerJsonOfAnyName) {
  write("cut.json", patched({{"truncation", {{"max_length", 4}}}}));
  EXPECT_EQ(tokenize("the king runs .\n", {"--checkpoint", path("cut.json")}),
            "2 5 6 3\t[CLS] the king [SEP]\n");
  EXPECT_EQ(tokenize("the king runs .\n", {"--vocab_file", path("cut.json")}),
            "5 6 7 13\tthe king runs .\n");
}

TEST_F(TokenizerFolders, TokenizeNeedsOneOfVocabularyAndCheckpoint) {
  EXPECT_EQ(tokenize("", {}), "one of --vocab-file and --checkpoint is needed");
  EXPECT_EQ(tokenize("", {"--vocab_file", "a", "--checkpoint", "b"}),
            "one of --vocab-file and --checkpoint is needed");
  EXPECT_NE(tokenize("", {"--checkpoint", path("")}).find("no vocab.txt or tokenizer.json"),
            std::string::npos);
}

TEST_F(TokenizerFolders, LongestWordIsTheOptionsElseTheFiles) {
  write("tokenizer.json", patched({{"model", {{"max_input_chars_per_word", 3}}}}));
  EXPECT_EQ(tokenize("king\n", {"--vocab_file", path("tokenizer.json")}), "1\t[UNK]\n");
  EXPECT_EQ(tokenize("king\n",
                     {"--vocab_file", path("tokenizer.json"), "--max_input_chars_per_word", "4"}),
            "6\tking\n");
}

TEST_F(TokenizerFolders, ListOfKeysNeedsNoFile) {
  EXPECT_EQ(tokenize("", {"--list_keys"}).substr(0, 28), "# Tokenizer files: every key");
}

TEST_F(TokenizerFolders, SquadFeaturesObeyTheFolder) {
  write("vocab.txt", kLines);
  write("tokenizer_config.json", R"({"strip_accents": false})");
  write("squad.json",
        R"({"data": [{"title": "t", "paragraphs": [{"context": "ÜBER the king", "qas": [
            {"id": "1", "question": "über", "answers": []}]}]}]})");
  const std::string lines = run(run_squad_features, {path("squad.json"), "--vocab_file", path("")});
  EXPECT_NE(lines.find("\"input_ids\": [2, 8, 3, 8, 5, 6, 3]"), std::string::npos) << lines;
}

TEST_F(TokenizerFolders, SquadRefusesOtherTemplatesByName) {
  const auto roberta = nlohmann::json::parse(
      R"({"type": "RobertaProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})");
  auto root = nlohmann::json::parse(patched(nlohmann::json::object()));
  root["post_processor"] = roberta;
  write("tokenizer.json", root.dump());
  write("squad.json",
        R"({"data": [{"title": "t", "paragraphs": [{"context": "the king", "qas": []}]}]})");
  const std::string what = run(run_squad_features, {path("squad.json"), "--vocab_file", path("")});
  EXPECT_NE(what.find("the template of two texts is not [CLS] A [SEP] B [SEP]"), std::string::npos)
      << what;
}

}  // namespace
}  // namespace bertha::cli
