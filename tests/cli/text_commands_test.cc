// bertha tokenize and bertha vocab, through their entry points.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "support/paths.h"

namespace bertha::cli {
namespace {

const std::string kFixtures = test::tests_path("text/fixtures/");

class TextCommands : public testing::Test {
 protected:
  TextCommands() : folder_(testing::TempDir() + "bertha_text_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~TextCommands() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // What the command prints when `input` is its standard input.
  std::string tokenize(const std::string& input, std::vector<std::string> arguments) {
    std::ofstream(path("input"), std::ios::binary) << input;
    const int saved = ::dup(STDIN_FILENO);
    const int file = ::open(path("input").c_str(), O_RDONLY);
    ::dup2(file, STDIN_FILENO);
    ::close(file);
    arguments.insert(arguments.end(), {"--vocab_file", kFixtures + "vocab.txt"});
    testing::internal::CaptureStdout();
    std::exception_ptr failure;
    try {
      EXPECT_EQ(run_tokenize(arguments), 0);
    } catch (const Error&) {
      failure = std::current_exception();
    }
    const std::string output = testing::internal::GetCapturedStdout();
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    if (failure) std::rethrow_exception(failure);
    return output;
  }

 private:
  std::string folder_;
};

std::string read(const std::string& path) {
  std::stringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

TEST_F(TextCommands, TokenizePrintsIdsAndPieces) {
  EXPECT_EQ(tokenize("Hello, World\n\n{\"text\": \"[SEP] \\u00e0\"}\n", {}),
            "18 24 20\thello , world\n\t\n3 12\t[SEP] a\n");
  EXPECT_EQ(tokenize("{{Infobox", {}).substr(0, 2), "1 ") << "no JSON, so a text";
}

TEST_F(TextCommands, TokenizePrintsJsonLines) {
  EXPECT_EQ(tokenize("\xC3\xA9 [MASK]", {"--jsonl", "--do_lower_case"}),
            "{\"ids\": [91, 4], \"tokens\": [\"e\", \"[MASK]\"], \"offsets\": [[0, 1], [2, 8]]}\n");
}

TEST_F(TextCommands, TokenizeNamesTheByteThatIsNotUtf8) {
  try {
    tokenize("Hello\nab\xFF\nworld\n", {});
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "standard input: line 2: byte 2 is not UTF-8 text");
  }
}

TEST_F(TextCommands, TokenizeFollowsItsOptions) {
  EXPECT_EQ(tokenize("Hello", {"--cased"}), "19\tHello\n");
  EXPECT_NE(tokenize("[MASK].", {"--token-rules", "recipe"}),
            tokenize("[MASK].", {"--token-rules", "hf"}));
  EXPECT_THROW(tokenize("", {"--token-rules", "other"}), Error);
  EXPECT_THROW(tokenize("", {"--cased", "--do_lower_case"}), Error);
  EXPECT_THROW(tokenize("", {"--max_input_chars_per_word", "0"}), Error);
}

TEST_F(TextCommands, VocabWritesAFileThatTokenizeReads) {
  std::vector<std::string> arguments = {kFixtures + "corpus.txt", "--vocab_size", "150",
                                        "--output_file", path("vocab.txt")};
  ASSERT_EQ(run_vocab(arguments), 0);
  const std::string first = read(path("vocab.txt"));
  EXPECT_EQ(first.substr(0, 32), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n!");
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 150);
  EXPECT_THROW(run_vocab(arguments), Error) << "the file exists";
  arguments.emplace_back("--overwrite");
  ASSERT_EQ(run_vocab(arguments), 0);
  EXPECT_EQ(read(path("vocab.txt")), first) << "the same text gives the same vocabulary";
}

TEST_F(TextCommands, VocabNamesBytesThatAreNotUtf8) {
  std::ofstream(path("latin1.txt")) << "one\nna\xEFve\n";
  const std::vector<std::string> arguments = {path("latin1.txt"), "--output_file",
                                              path("vocab.txt")};
  try {
    run_vocab(arguments);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("latin1.txt: byte 6 is not UTF-8 text (line 2)"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(TextCommands, VocabKeepsTheOldFileWhenItFails) {
  std::ofstream(path("vocab.txt")) << "old";
  std::ofstream(path("empty.txt")) << "\n";
  const std::vector<std::string> arguments = {path("empty.txt"), "--output_file", path("vocab.txt"),
                                              "--overwrite"};
  EXPECT_THROW(run_vocab(arguments), Error);
  EXPECT_EQ(read(path("vocab.txt")), "old");
  const std::vector<std::string> missing = {path("missing.txt")};
  EXPECT_THROW(run_vocab(missing), Error);
}

}  // namespace
}  // namespace bertha::cli
