// bertha tag through its entry point, on models of one small layer.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_test.h"
#include "infer/tiny_models.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::cli {
namespace {

using nlohmann::json;

const std::string kTagger = test::tests_path("infer/fixtures/tagger");

/// Fifty sentences in which "the red house" and "the hill" are places, "a bird" is none.
std::string training_file() {
  std::string text = "-DOCSTART- -X- O\n\n";
  for (int i = 0; i < 50; ++i) {
    text += "the X O\n";
    if (i % 3 == 0) {
      text += "red X B-LOC\nhouse X I-LOC\n";
    } else {
      text += i % 3 == 1 ? "hill X B-LOC\nstands X O\n" : "team X B-ORG\nstands X O\n";
    }
    text += i % 2 == 0 ? "\n" : "over X O\nthere X O\n\n";
  }
  return text;
}

class TagCommand : public test::CommandTest {
 protected:
  TagCommand() {
    test::write_tiny_model(path("start"), {}, bert::ModelClass::kEncoder);
    test::write_all(path("train.conll"), training_file());
  }

  std::string output_of(const std::vector<std::string>& arguments) {
    return CommandTest::output_of(run_tag, arguments);
  }
  std::string error_of(const std::vector<std::string>& arguments) {
    return CommandTest::error_of(run_tag, arguments);
  }

  std::vector<std::string> training(const std::string& file) const {
    return {"--init_checkpoint",  path("start"), "--train_file",          file,
            "--output_dir",       path("out"),   "--max_seq_length",      "16",
            "--train_batch_size", "8",           "--disable-progress-bar"};
  }
  std::vector<std::string> tagger(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"--checkpoint", kTagger, "--max_seq_length", "32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(TagCommand, TrainsUntilAllSpansAreRightAndPredictsThem) {
  std::vector<std::string> arguments = training(path("train.conll"));
  for (const char* word : {"--num_train_epochs", "10", "--learning_rate", "1e-2", "--eval_steps",
                           "20", "--eval_file", "", "--predict_file", ""}) {
    arguments.emplace_back(std::string(word).empty() ? path("train.conll") : word);
  }
  const std::string output = output_of(arguments);
  const json scores = test::last_line(output);
  EXPECT_EQ(scores["f1"], 1.0) << output;
  EXPECT_EQ(scores["accuracy"], 1.0);
  EXPECT_EQ(scores["sentences"], 50);
  EXPECT_NE(output.find("\nORG "), std::string::npos) << output;
  EXPECT_TRUE(logged("update 60: "));
  const json config = json::parse(test::read_all(path("out/config.json")));
  EXPECT_EQ(config["architectures"][0], "BertForTokenClassification");
  EXPECT_EQ(config["id2label"]["0"], "B-LOC");
  EXPECT_EQ(config["label2id"]["O"], 3);
  EXPECT_EQ(test::read_all(path("out/labels.txt")), "B-LOC\nB-ORG\nI-LOC\nO\n");
  EXPECT_FALSE(std::filesystem::exists(path("out/fine_tuning.pt")));
  const std::string predictions = test::read_all(path("out/predictions.conll"));
  EXPECT_TRUE(predictions.starts_with(
      "-DOCSTART- -X- O\n\nthe X O O\nred X B-LOC B-LOC\nhouse X I-LOC I-LOC\n\nthe X O O\n"))
      << predictions.substr(0, 200);
  // The folder alone says how to tag.
  write("text.txt", "The hill, over there\n");
  const json line = json::parse(output_of({"--checkpoint", path("out"), "--max_seq_length", "16",
                                           "--input", path("text.txt"), "--json"}));
  ASSERT_EQ(line["entities"].size(), 1U) << line;
  EXPECT_EQ(line["entities"][0]["word"], "hill");
}

TEST_F(TagCommand, TextsGiveEntitiesWithTheirPlaces) {
  const json fixture = json::parse(test::read_all(test::tests_path("infer/fixtures/tagger.json")));
  std::string texts;
  for (const json& one : fixture["texts"]) texts += one["text"].get<std::string>() + "\n";
  std::istringstream lines(
      output_of(tagger({"--input", write("texts.txt", texts + "\n"), "--json"})));
  std::string line;
  for (const json& one : fixture["texts"]) {
    ASSERT_TRUE(std::getline(lines, line));
    const json found = json::parse(line);
    EXPECT_EQ(found["text"], one["text"]);
    ASSERT_EQ(found["entities"].size(), one["entities"].size()) << line;
    for (size_t i = 0; i < found["entities"].size(); ++i) {
      for (const char* key : {"entity_group", "start", "end"}) {
        EXPECT_EQ(found["entities"][i][key], one["entities"][i][key]) << line;
      }
    }
  }
  ASSERT_TRUE(std::getline(lines, line)) << "an empty text has a line, too";
  EXPECT_EQ(json::parse(line)["entities"].size(), 0U);
}

TEST_F(TagCommand, WordsOfATextArePrintedWithTheirLabels) {
  const std::string output = output_of(tagger({"--input", write("t.txt", "kings, é\n\nsea\n")}));
  std::istringstream lines(output);
  std::vector<std::string> words;
  for (std::string line; std::getline(lines, line);)
    words.push_back(line.substr(0, line.find('\t')));
  EXPECT_EQ(words, (std::vector<std::string>{"kings", ",", "é", "", "", "sea", ""})) << output;
}

TEST_F(TagCommand, JsonLinesGetAKeyMoreAndNumbersGetNames) {
  const std::string file =
      write("dev.jsonl", "{\"tokens\": [\"The\", \"king\"], \"ner_tags\": [0, 3]}\n");
  const std::vector<std::string> arguments =
      tagger({"--eval_file", file, "--predict_file", file, "--output_dir", path("out")});
  EXPECT_EQ(test::last_line(output_of(arguments))["words"], 2);
  const json line = json::parse(test::read_all(path("out/predictions.jsonl")));
  EXPECT_EQ(line["predicted_tags"].size(), 2U);
  EXPECT_EQ(line["ner_tags"][1], 3);
  EXPECT_NE(error_of(training(file)).find("--label-names"), std::string::npos);
  std::vector<std::string> named = training(file);
  for (const char* word : {"--label_names", "O,B-A,I-A,B-B", "--num_train_epochs", "1"}) {
    named.emplace_back(word);
  }
  output_of(named);
  EXPECT_EQ(test::read_all(path("out/labels.txt")), "O\nB-A\nI-A\nB-B\n");
}

TEST_F(TagCommand, LabelsOfTheModelKeepTheirOrder) {
  const std::string file =
      write("more.conll", "a O\nking B-PER\nx I-PER\n\nParis B-LOC\ny I-LOC\nz O\n");
  output_of(tagger({"--train_file", file, "--output_dir", path("out"), "--num_train_epochs", "1",
                    "--learning_rate", "1e-4", "--disable-progress-bar"}));
  EXPECT_EQ(test::read_all(path("out/labels.txt")), "O\nB-PER\nI-PER\nB-LOC\nI-LOC\n");
  const std::string other = write("other.conll", "a O\nb B-A\nc B-B\nd B-C\ne B-D\n");
  std::vector<std::string> again = tagger({"--train_file", other, "--output_dir", path("out"),
                                           "--num_train_epochs", "1", "--disable-progress-bar"});
  EXPECT_NE(error_of(again).find("it holds a model that another command made"), std::string::npos);
  again.emplace_back("--overwrite");
  output_of(again);
  EXPECT_TRUE(logged("it has other labels than"));
}

TEST_F(TagCommand, LabelsThatTheModelLacksCountAsWrong) {
  const std::string file = write("dev.conll", "king B-DATE\nrules B-DATE\n");
  const json scores = test::last_line(output_of(tagger({"--eval_file", file})));
  EXPECT_EQ(scores["accuracy"], 0.0);
  EXPECT_TRUE(logged("the model does not have the label B-DATE"));
}

TEST_F(TagCommand, WrongOptionsAndFilesAreNamed) {
  EXPECT_NE(error_of(training(write("bad.conll", "a O\nb\n"))).find("bad.conll: line 2"),
            std::string::npos);
  EXPECT_NE(error_of(training(write("bytes.conll", "a O\n\xff O\n"))).find("bytes.conll"),
            std::string::npos);
  EXPECT_NE(error_of(training(write("words.conll", "a\nb\n"))).find("no labels"),
            std::string::npos);
  std::vector<std::string> none = training(path("train.conll"));
  none.insert(none.end(), {"--train_batch_size", "0"});
  EXPECT_NE(error_of(none).find("--train-batch-size is 0"), std::string::npos) << error_of(none);
  EXPECT_NE(error_of(tagger({"--predict_file", path("train.conll")})).find("--output-dir"),
            std::string::npos);
  EXPECT_NE(error_of(tagger({"--input", path("train.conll"), "--label_names", "A,B"}))
                .find("--label-names gives 2 names, the model has 5 labels"),
            std::string::npos);
  EXPECT_NE(error_of({"--checkpoint",
                      test::tests_path("infer/fixtures/encoders/single_label_classification"),
                      "--vocab_file", test::tests_path("infer/fixtures/encoders/vocab.txt"),
                      "--input", path("train.conll"), "--max_seq_length", "16"})
                .find("expected a classifier of tokens"),
            std::string::npos);
}

}  // namespace
}  // namespace bertha::cli
