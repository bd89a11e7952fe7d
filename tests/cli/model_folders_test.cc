// Folders of other programs as a user hands them to bertha: every class converted and back,
// classifiers with their labels, sentence-transformers models.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Outcome;
using test::read_all;

const std::string kFixtures = test::tests_path("infer/fixtures/");
const std::string kVocabulary = kFixtures + "encoders/vocab.txt";

class ModelFolders : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.file(name); }

  Outcome run(const std::vector<std::string>& arguments) const {
    const std::string out = logs_.file("out");
    const std::string error = logs_.file("error");
    return test::wait_for_program(test::start_program(arguments, out, error), out, error);
  }
  void expect_success(const std::vector<std::string>& arguments) const {
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.said;
  }
  static json models() { return json::parse(read_all(kFixtures + "encoders.json"))["models"]; }
  /// The outputs of a model for the first text.
  static std::vector<double> logits_of(const std::string& folder) {
    for (const json& model : models()) {
      if (model["folder"] == folder) {
        return model["outputs"][0]["logits"].get<std::vector<double>>();
      }
    }
    return {};
  }
  /// The line of predictions.tsv for the first text of the fixtures.
  std::string predicted(const std::string& folder) const {
    test::write_all(path("texts.tsv"), "sentence\nthe king rules the land\n");
    expect_success({"classify", "--init_checkpoint", kFixtures + "encoders/" + folder,
                    "--vocab_file", kVocabulary, "--predict_file", path("texts.tsv"),
                    "--max_seq_length", "16", "--output_dir", path(folder)});
    const std::string text = read_all(path(folder) + "/predictions.tsv");
    return text.substr(text.find('\n') + 1);
  }

 private:
  test::TemporaryFolder folder_;
  test::TemporaryFolder logs_;
};

TEST_F(ModelFolders, EveryClassConvertsToEachFormatAndBack) {
  for (const json& model : models()) {
    const auto name = model["folder"].get<std::string>();
    SCOPED_TRACE(name);
    const std::string from = kFixtures + "encoders/" + name;
    const std::string back = path(name);
    expect_success({"convert", from, path(name + ".pt"), "--vocab_file", kVocabulary});
    expect_success({"convert", path(name + ".pt"), back, "--vocab_file", kVocabulary,
                    "--config_file", from + "/config.json"});
    expect_success({"inspect", from, "--diff", back});
    expect_success({"convert", from, path(name + ".onnx"), "--vocab_file", kVocabulary});
    EXPECT_GT(fs::file_size(path(name + ".onnx")), 2000U);
    const json before = json::parse(read_all(from + "/config.json"));
    const json after = json::parse(read_all(back + "/config.json"));
    for (const char* key : {"architectures", "model_type", "problem_type", "finetuning_task"}) {
      EXPECT_EQ(before.value(key, json()), after.value(key, json())) << key;
    }
    if (before.contains("id2label") && after.contains("id2label")) {
      EXPECT_EQ(before["id2label"], after["id2label"]);
      EXPECT_EQ(before["label2id"], after["label2id"]);
    }
  }
}

TEST_F(ModelFolders, ClassifierOfHuggingFacePredictsWithItsOwnLabels) {
  const std::vector<double> logits = logits_of("single_label_classification");
  ASSERT_EQ(logits.size(), 3U);
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit);
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  const std::vector<std::string> names = {"bad", "fair", "good"};
  EXPECT_EQ(predicted("single_label_classification"),
            fmt::format("0\t{}\t{:.6f}\n", names[static_cast<size_t>(best)],
                        std::exp(logits[static_cast<size_t>(best)]) / sum));
}

TEST_F(ModelFolders, MultiLabelClassifierPredictsEveryLabelOfAtLeastAHalf) {
  const std::vector<double> logits = logits_of("multi_label_classification");
  const std::vector<std::string> names = {"bad", "fair", "good"};
  std::string labels;
  std::string probabilities;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double probability = 1 / (1 + std::exp(-logits[i]));
    if (probability < 0.5) continue;
    labels += (labels.empty() ? "" : ",") + names[i];
    probabilities += fmt::format("{}{:.6f}", probabilities.empty() ? "" : ",", probability);
  }
  EXPECT_EQ(predicted("multi_label_classification"), "0\t" + labels + "\t" + probabilities + "\n");
}

TEST_F(ModelFolders, RegressionPredictsAValue) {
  const std::string line = predicted("regression");
  EXPECT_NEAR(std::stod(line.substr(2)), logits_of("regression")[0], 1e-5) << line;
}

TEST_F(ModelFolders, TokenClassifierIsNoClassifierOfTexts) {
  test::write_all(path("texts.tsv"), "sentence\nthe king\n");
  const Outcome outcome =
      run({"classify", "--init_checkpoint", kFixtures + "encoders/bert-ForTokenClassification",
           "--vocab_file", kVocabulary, "--predict_file", path("texts.tsv"), "--max_seq_length",
           "16", "--output_dir", path("out")});
  test::expect_one_error(outcome, {"BertForTokenClassification", "expected a classifier of texts"});
}

TEST_F(ModelFolders, PairsTrainOnAModelWithOneTypeOfTokens) {
  test::write_all(path("train.tsv"),
                  "sentence1\tsentence2\tlabel\nthe king\trules\t0\na ship\tsails\t1\n");
  expect_success({"classify", "--init_checkpoint", kFixtures + "encoders/bert-one-type",
                  "--vocab_file", kVocabulary, "--train_file", path("train.tsv"),
                  "--max_seq_length", "16", "--num_train_epochs", "1", "--output_dir",
                  path("out")});
  const json config = json::parse(read_all(path("out/config.json")));
  EXPECT_EQ(config["id2label"]["1"], "1");
}

TEST_F(ModelFolders, FineTuningKeepsTheTypeOfTheModel) {
  test::write_all(path("train.tsv"), "sentence\tlabel\nthe king\tgood\na ship\tbad\n");
  for (const char* type : {"roberta", "distilbert"}) {
    SCOPED_TRACE(type);
    const std::string out = path(type);
    expect_success({"classify", "--init_checkpoint",
                    kFixtures + "encoders/" + type + "-ForMaskedLM", "--vocab_file", kVocabulary,
                    "--train_file", path("train.tsv"), "--max_seq_length", "16",
                    "--num_train_epochs", "1", "--output_dir", out});
    EXPECT_EQ(json::parse(read_all(out + "/config.json"))["model_type"], type);
    expect_success({"classify", "--init_checkpoint", out, "--eval_file", path("train.tsv"),
                    "--max_seq_length", "16", "--output_dir", out});
  }
  // That of DistilBERT has zeros for the types of tokens in the recipe's form.
  expect_success(
      {"inspect", path("roberta/pytorch_model.bin"), "--diff", path("roberta/model.safetensors")});
}

TEST_F(ModelFolders, EmbedObeysTheFolderOfASentenceTransformersModel) {
  fs::copy(kFixtures + "sentence_encoder", path("model"));
  const json variants = json::parse(read_all(kFixtures + "sentence_variants.json"));
  const json& first = variants[0];  // pooling of [CLS]
  for (const auto& [name, text] : first["files"].items()) {
    test::write_all(path("model/" + name), text.get<std::string>());
  }
  test::write_all(path("texts.txt"), first["texts"][0].get<std::string>() + "\n");
  const auto vector_of = [&](const std::string& model) {
    const Outcome outcome = run({"embed", "--checkpoint", model, "--input", path("texts.txt")});
    EXPECT_EQ(outcome.status, 0) << outcome.said;
    return json::parse(outcome.printed).get<std::vector<double>>();
  };
  const auto expected = first["vectors"][0].get<std::vector<double>>();
  const std::vector<double> found = vector_of(path("model"));
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 3e-5) << i;
  expect_success({"convert", path("model"), path("converted")});
  EXPECT_EQ(vector_of(path("converted")), found);
  test::expect_one_error(run({"embed", "--checkpoint", path("model"), "--input", path("texts.txt"),
                              "--prompt_name", "query"}),
                         {"no prompt \"query\""});
}

TEST_F(ModelFolders, UnsupportedTypeIsRefusedByName) {
  fs::copy(kFixtures + "sentence_encoder", path("model"));
  json config = json::parse(read_all(path("model/config.json")));
  config["model_type"] = "modernbert";
  test::write_all(path("model/config.json"), config.dump());
  test::write_all(path("texts.txt"), "the king\n");
  test::expect_one_error(
      run({"embed", "--checkpoint", path("model"), "--input", path("texts.txt")}),
      {"config.json", "\"model_type\" is \"modernbert\"", "distilbert"});
}

TEST_F(ModelFolders, InspectNamesTheClassAndTheLabels) {
  const Outcome outcome =
      run({"inspect", "--json", kFixtures + "encoders/multi_label_classification"});
  ASSERT_EQ(outcome.status, 0) << outcome.said;
  const json file = json::parse(outcome.printed);
  EXPECT_EQ(file["architecture"], "BertForSequenceClassification");
  EXPECT_EQ(file["labels"], json({"bad", "fair", "good"}));
  EXPECT_EQ(file["problem_type"], "multi_label_classification");
}

TEST_F(ModelFolders, UnknownKeyIsReportedOnce) {
  fs::copy(kFixtures + "sentence_encoder", path("model"));
  json config = json::parse(read_all(path("model/config.json")));
  config["colour"] = "blue";
  test::write_all(path("model/config.json"), config.dump());
  test::write_all(path("texts.txt"), "the king\na ship\n");
  const Outcome outcome =
      run({"embed", "--checkpoint", path("model"), "--input", path("texts.txt")});
  EXPECT_EQ(outcome.status, 0) << outcome.said;
  const std::string note = "not known and ignored: colour";
  const size_t at = outcome.said.find(note);
  ASSERT_NE(at, std::string::npos) << outcome.said;
  EXPECT_EQ(outcome.said.find(note, at + 1), std::string::npos) << outcome.said;
}

}  // namespace
}  // namespace bertha::cli
