// A checkpoint of pre-training that was copied to an empty folder is a model for every command that
// takes one, without a further option.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cli/program.h"
#include "serve/raw_client.h"
#include "train/tiny_run.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

/// Runs of the program on out/ckpt_3.pt, which lies alone in its folder.
class LoneCheckpoint : public train::TinyRun {
 protected:
  void SetUp() override {
    std::string pieces = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < 40; ++i) pieces += "word" + std::to_string(i) + "\n";
    test::write_all(path("pieces.txt"), pieces);
    train::PretrainingOptions small = options("run");
    small.vocab_file = path("pieces.txt");
    small.max_steps = 3;
    train(small);
    fs::create_directories(path("alone"));
    fs::rename(path("run/ckpt_3.pt"), path("alone/ckpt_3.pt"));
    fs::remove_all(path("run"));
    fs::remove(path("pieces.txt"));
  }

  std::string checkpoint() const { return path("alone/ckpt_3.pt"); }
  test::Outcome run(const std::vector<std::string>& arguments) const {
    const pid_t child = test::start_program(arguments, path("stdout"), path("stderr"));
    return test::wait_for_program(child, path("stdout"), path("stderr"));
  }
  /// Runs `command` on the checkpoint; it must end with status 0.
  test::Outcome succeed(std::vector<std::string> command,
                        const std::vector<std::string>& more) const {
    command.push_back("--init-checkpoint=" + checkpoint());
    command.insert(command.end(), more.begin(), more.end());
    test::Outcome outcome = run(command);
    EXPECT_EQ(outcome.status, 0) << command.front() << ": " << outcome.said;
    return outcome;
  }
  std::string write(const std::string& name, const std::string& text) const {
    test::write_all(path(name), text);
    return path(name);
  }
};

TEST_F(LoneCheckpoint, FillsMasks) {
  const test::Outcome outcome = succeed({"fill"}, {"word7 [MASK] word9"});
  EXPECT_NE(outcome.printed.find("word"), std::string::npos) << outcome.printed;
}

TEST_F(LoneCheckpoint, EmbedsTexts) {
  const std::string texts = write("texts.txt", "word7 word8\nword9\n");
  const test::Outcome outcome = succeed({"embed"}, {"--input=" + texts});
  EXPECT_EQ(std::ranges::count(outcome.printed, '\n'), 2) << outcome.printed;
}

TEST_F(LoneCheckpoint, IsInspected) {
  const test::Outcome outcome = run({"inspect", checkpoint(), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.said;
  const auto file = nlohmann::json::parse(outcome.printed);
  EXPECT_EQ(file["config"]["hidden_size"], 16);
  EXPECT_EQ(file["training"]["vocabulary_pieces"], 40);
}

TEST_F(LoneCheckpoint, IsConvertedWithItsTokenizer) {
  const test::Outcome outcome = run({"convert", checkpoint(), path("hf")});
  ASSERT_EQ(outcome.status, 0) << outcome.said;
  for (const char* name : {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json"}) {
    EXPECT_TRUE(fs::exists(path("hf") + "/" + name)) << name;
  }
}

TEST_F(LoneCheckpoint, AnswersAQuestion) {
  const test::Outcome outcome =
      succeed({"ask"}, {"--question=word7 word8", "--passage=word7 word8 word9"});
  EXPECT_NE(outcome.said.find("has no question answering head"), std::string::npos);
}

TEST_F(LoneCheckpoint, IsFineTunedOnQuestions) {
  const std::string questions = write("questions.json", R"({"data":[{"title":"t","paragraphs":[
{"context":"word7 word8 word9 word10","qas":[
{"id":"1","question":"word7 word8","answers":[{"text":"word9","answer_start":12}]}]}]}]})");
  succeed({"squad"},
          {"--do-train", "--do-predict", "--train-file=" + questions, "--predict-file=" + questions,
           "--output-dir=" + path("answers"), "--max-seq-length=32", "--max-query-length=8",
           "--doc-stride=8", "--num-train-epochs=1", "--train-batch-size=1"});
  EXPECT_TRUE(fs::exists(path("answers/predictions.json")));
  EXPECT_TRUE(fs::exists(path("answers/vocab.txt")));
}

TEST_F(LoneCheckpoint, IsFineTunedOnLabels) {
  const std::string table = write("table.tsv", "text\tlabel\nword7 word8\ta\nword9 word10\tb\n");
  succeed({"classify"}, {"--train-file=" + table, "--output-dir=" + path("classes"),
                         "--max-seq-length=16", "--num-train-epochs=1"});
  EXPECT_TRUE(fs::exists(path("classes/vocab.txt")));
}

TEST_F(LoneCheckpoint, IsFineTunedOnTags) {
  const std::string words = write("words.conll", "word7 B-PER\nword8 O\n\nword9 O\nword10 O\n");
  succeed({"tag"}, {"--train-file=" + words, "--output-dir=" + path("tags"), "--max-seq-length=16",
                    "--num-train-epochs=1"});
  EXPECT_TRUE(fs::exists(path("tags/vocab.txt")));
}

TEST_F(LoneCheckpoint, IsServed) {
  using namespace std::chrono_literals;
  const pid_t child = test::start_program({"serve", "--model", "words=" + checkpoint(), "--port=0"},
                                          path("stdout"), path("stderr"));
  std::string log;
  for (int i = 0; i < 2000 && log.find("127.0.0.1:") == std::string::npos; ++i) {
    std::this_thread::sleep_for(10ms);
    log = test::read_all(path("stderr"));
  }
  const size_t at = log.find("127.0.0.1:");
  if (at != std::string::npos) {
    const auto port = static_cast<uint16_t>(std::stoi(log.substr(at + 10)));
    test::RawAnswer answer;
    for (int i = 0; i < 2000 && answer.status != 200; ++i) {
      std::this_thread::sleep_for(10ms);
      answer = test::RawClient(port).ask(test::post("/v1/fill", R"({"text":"word7 [MASK]"})",
                                                    "Content-Type: application/json\r\n"));
    }
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.body.find("word"), std::string::npos) << answer.body;
  }
  ::kill(child, SIGTERM);
  const test::Outcome outcome = test::wait_for_program(child, path("stdout"), path("stderr"));
  EXPECT_NE(at, std::string::npos) << outcome.said;
}

}  // namespace
}  // namespace bertha::cli
