// bertha classify through its entry point, on a model of one small layer.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command_test.h"
#include "infer/tiny_models.h"

namespace bertha::cli {
namespace {

using nlohmann::json;

class ClassifyCommand : public test::CommandTest {
 protected:
  ClassifyCommand() { test::write_tiny_model(path("start"), {}, bert::ModelClass::kEncoder); }

  std::string output_of(const std::vector<std::string>& arguments) const {
    return CommandTest::output_of(run_classify, arguments);
  }
  std::string error_of(const std::vector<std::string>& arguments) const {
    return CommandTest::error_of(run_classify, arguments);
  }

  /// Options that fine-tune on a file until its few texts are known.
  std::vector<std::string> training(const std::string& file,
                                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "--init_checkpoint",  path("start"), "--train_file",          file,
        "--eval_file",        file,          "--predict_file",        file,
        "--output_dir",       path("out"),   "--max_seq_length",      "16",
        "--train_batch_size", "4",           "--num_train_epochs",    "20",
        "--learning_rate",    "5e-3",        "--disable-progress-bar"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

TEST_F(ClassifyCommand, ClassifyTrainsEvaluatesAndPredicts) {
  std::string rows = "sentence\tlabel\n";
  for (int i = 0; i < 12; ++i) rows += i % 2 == 0 ? "the red house\tyes\n" : "the hill\tno\n";
  const std::string train = write("train.tsv", rows);
  const std::vector<std::string> arguments = {"--init_checkpoint",     path("start"),
                                              "--train_file",          train,
                                              "--eval_file",           train,
                                              "--predict_file",        train,
                                              "--output_dir",          path("classes"),
                                              "--max_seq_length",      "16",
                                              "--train_batch_size",    "4",
                                              "--num_train_epochs",    "10",
                                              "--learning_rate",       "5e-3",
                                              "--eval_steps",          "10",
                                              "--disable-progress-bar"};
  const auto scores = test::last_line(output_of(arguments));
  EXPECT_EQ(scores["rows"], 12);
  EXPECT_EQ(scores["accuracy"], 1.0);
  EXPECT_TRUE(logged("update 30: ")) << "evaluations while training";
  const std::string predictions = text_of("classes/predictions.tsv");
  EXPECT_EQ(std::count(predictions.begin(), predictions.end(), '\n'), 13);
  EXPECT_EQ(text_of("classes/labels.txt"), "no\nyes\n");
  EXPECT_NE(text_of("classes/losses.tsv").find("\n30\taccuracy\t1"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("classes/fine_tuning.pt")));
}

TEST_F(ClassifyCommand, ClassifyingWithAFreshHeadIsWarnedAbout) {
  write("start/labels.txt", "no\nyes\n");
  const std::string texts = write("texts.tsv", "sentence\nthe red house\nthe hill\n");
  output_of({"--init_checkpoint", path("start"), "--predict_file", texts, "--output_dir",
             path("classes"), "--max_seq_length", "16"});
  EXPECT_TRUE(logged("has no classification head: the classes are random"));
}

TEST_F(ClassifyCommand, ClassifyNamesFaultyFiles) {
  const auto with = [&](const std::string& file) {
    return std::vector<std::string>{"--init_checkpoint", path("start"),   "--train_file",     file,
                                    "--output_dir",      path("classes"), "--max_seq_length", "16"};
  };
  EXPECT_NE(error_of(with(write("a.tsv", "sentence\tlabel\n"))).find("a.tsv"), std::string::npos);
  EXPECT_NE(error_of(with(write("b.tsv", "sentence\tlabel\nx\tone\ny\tone\n")))
                .find("1 different label;"),
            std::string::npos);
  EXPECT_NE(error_of(with(path("none.tsv"))).find("none.tsv"), std::string::npos);
  output_of(with(write("c.tsv", "sentence\tlabel\nx\tone\nshort\ny\ttwo\n")));
  EXPECT_TRUE(
      logged("row with fewer than the 2 fields of the header, left out: 1, the first at "
             "line 3"));
}

TEST_F(ClassifyCommand, RegressionIsTrainedEvaluatedAndPredicted) {
  std::string rows = "index,sentence1,sentence2,score\n";
  for (int i = 0; i < 12; ++i) {
    rows += i % 2 == 0 ? "0,the red house,\"the house, red\",4.500\n" : "1,the hill,a bird,0.5\n";
  }
  const std::string train = write("train.csv", rows);
  const auto scores = test::last_line(
      output_of({"--init_checkpoint", path("start"), "--train_file", train, "--eval_file", train,
                 "--output_dir", path("sts"), "--max_seq_length", "16", "--train_batch_size", "4",
                 "--num_train_epochs", "30", "--learning_rate", "5e-3", "--disable-progress-bar"}));
  EXPECT_EQ(scores["rows"], 12);
  EXPECT_GT(scores["pearson"], 0.99);
  EXPECT_GT(scores["spearman"], 0.99);
  EXPECT_LT(scores["mse"], 0.5);
  EXPECT_FALSE(scores.contains("accuracy"));
  EXPECT_TRUE(logged("the labels are numbers with fractions: regression"));
  EXPECT_FALSE(std::filesystem::exists(path("sts/labels.txt")));
  // The folder alone says that the model does regression.
  const std::string texts =
      write("texts.jsonl",
            "{\"sentence1\": \"the red house\", \"sentence2\": \"the house, "
            "red\"}\n[]\n{\"sentence1\": \"the hill\", \"sentence2\": \"a bird\"}\n");
  output_of({"--init_checkpoint", path("sts"), "--predict_file", texts, "--output_dir", path("sts"),
             "--max_seq_length", "16"});
  std::istringstream predictions(text_of("sts/predictions.tsv"));
  std::string header;
  int64_t first = -1;
  int64_t second = -1;
  double high = 0;
  double low = 0;
  std::getline(predictions, header);
  predictions >> first >> high >> second >> low;
  EXPECT_EQ(header, "index\tprediction\tprobability");
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 2);
  EXPECT_NEAR(high, 4.5, 1);
  EXPECT_NEAR(low, 0.5, 1);
}

TEST_F(ClassifyCommand, PredictionsCarryTheRowsOfTheirFile) {
  write("start/labels.txt", "no\nyes\n");
  const std::string texts =
      write("texts.tsv", "index\tsentence\n0\tthe red house\n1\n2\tthe hill\n");
  output_of({"--init_checkpoint", path("start"), "--predict_file", texts, "--output_dir",
             path("classes"), "--max_seq_length", "16", "--all_probabilities"});
  std::istringstream lines(text_of("classes/predictions.tsv"));
  std::string header;
  std::getline(lines, header);
  EXPECT_EQ(header, "index\tprediction\tprobability\tno\tyes");
  for (const int64_t expected : {0, 2}) {
    int64_t index = -1;
    std::string label;
    double best = 0;
    double no = 0;
    double yes = 0;
    lines >> index >> label >> best >> no >> yes;
    EXPECT_EQ(index, expected);
    EXPECT_EQ(best, std::max(no, yes));
    EXPECT_EQ(label, no > yes ? "no" : "yes");
    EXPECT_NEAR(no + yes, 1, 2e-6);
  }
}

TEST_F(ClassifyCommand, ProblemTypeOverrulesTheLabels) {
  const std::string numbers = write("n.tsv", "sentence\tlabel\na\t1.5\nb\t0.5\n");
  const std::string words = write("w.tsv", "sentence\tlabel\na\tyes\nb\tno\n");
  const auto with = [&](const std::string& file, const std::string& type) {
    return std::vector<std::string>{"--init_checkpoint",  path("start"),
                                    "--train_file",       file,
                                    "--output_dir",       path("classes"),
                                    "--max_seq_length",   "16",
                                    "--problem_type",     type,
                                    "--num_train_epochs", "1"};
  };
  output_of(with(numbers, "single_label_classification"));
  EXPECT_EQ(text_of("classes/labels.txt"), "0.5\n1.5\n");
  EXPECT_NE(error_of(with(words, "regression"))
                .find("line 2: regression needs numbers, found the label \"yes\""),
            std::string::npos);
  EXPECT_NE(error_of(with(words, "ranking")).find("--problem-type ranking"), std::string::npos);
}

/// Texts with the labels "place" and "dear", both, one or none.
std::string several_labels(const std::string& separator) {
  std::string rows = "sentence\tlabels\n";
  for (int i = 0; i < 4; ++i) {
    rows += "the red house\tplace" + separator + "dear\n" + "the hill\tplace\n" + "a bird\t\n";
  }
  return rows;
}

TEST_F(ClassifyCommand, SeveralLabelsAreTrainedEvaluatedAndPredicted) {
  const std::string file = write("train.tsv", several_labels(", "));
  const std::string output =
      output_of(training(file, {"--problem_type", "multi_label_classification"}));
  const json scores = test::last_line(output);
  EXPECT_EQ(scores["rows"], 12);
  EXPECT_EQ(scores["subset_accuracy"], 1.0) << output;
  EXPECT_EQ(scores["micro_f1"], 1.0);
  EXPECT_EQ(scores["macro_f1"], 1.0);
  EXPECT_NE(output.find("dear                1.0000    1.0000    1.0000         4\n"),
            std::string::npos)
      << output;
  EXPECT_TRUE(logged("no label holds for 4 of 12 texts"));
  const json config = json::parse(text_of("out/config.json"));
  EXPECT_EQ(config["problem_type"], "multi_label_classification");
  EXPECT_EQ(config["id2label"], json::parse(R"({"0": "dear", "1": "place"})"));
  std::istringstream lines(text_of("out/predictions.tsv"));
  for (const char* expected :
       {"index\tprediction\tprobability", "0\tdear,place\t0.", "1\tplace\t0.", "2\t\t"}) {
    std::string line;
    std::getline(lines, line);
    EXPECT_TRUE(line.starts_with(expected)) << line;
  }
}

TEST_F(ClassifyCommand, SeveralLabelsMayBeListsOrColumns) {
  std::string lists;
  std::string columns = "sentence,Place,dear,new\n";
  for (int i = 0; i < 4; ++i) {
    lists += R"({"sentence": "the red house", "labels": ["place", "dear"]})"
             "\n"
             R"({"sentence": "the hill", "labels": ["place"]})"
             "\n"
             R"({"sentence": "a bird", "labels": []})"
             "\n";
    columns += "the red house,1,1,0\nthe hill,1,0,0\na bird,0,0,0\nthe hill,-1,-1,-1\n";
  }
  const json of_lists = test::last_line(output_of(training(write("train.jsonl", lists))));
  EXPECT_EQ(of_lists["subset_accuracy"], 1.0);
  const std::string file = write("train.csv", columns);
  const json of_columns = test::last_line(
      output_of(training(file, {"--label_column", "place,dear,new", "--overwrite"})));
  EXPECT_EQ(of_columns["rows"], 12);
  EXPECT_EQ(of_columns["micro_f1"], 1.0);
  EXPECT_NEAR(of_columns["macro_f1"].get<double>(), 2.0 / 3, 1e-12) << "\"new\" never holds";
  EXPECT_EQ(text_of("out/labels.txt"), "Place\ndear\nnew\n");
  EXPECT_TRUE(logged("row without a label, left out: 4"));
}

TEST_F(ClassifyCommand, TrainedSeveralLabelsAreReadFromTheFolder) {
  output_of(training(write("train.tsv", several_labels("|")), {"--label-separator", "|"}));
  const std::string unknown =
      write("dev.tsv", "sentence\tlabels\nthe hill\tplace|odd\nthe red house\tNaN\n");
  const json scores = test::last_line(
      output_of({"--init_checkpoint", path("out"), "--eval_file", unknown, "--label-separator", "|",
                 "--output_dir", path("out"), "--max_seq_length", "16"}));
  EXPECT_EQ(scores["rows"], 1);
  EXPECT_EQ(scores["subset_accuracy"], 1.0);
  EXPECT_TRUE(logged("label that the model does not have, ignored: 1, the first at odd"));
  EXPECT_TRUE(logged("row labelled \"NaN\", a missing value, left out: 1, the first at line 3"));
}

TEST_F(ClassifyCommand, WrongUsesOfSeveralLabelsAreNamed) {
  const std::string single = write("s.tsv", "sentence\tlabel\nthe hill\tyes\na bird\tno\n");
  EXPECT_NE(error_of(training(single, {"--label_separator", ",", "--problem_type", "regression"}))
                .find("--label-separator"),
            std::string::npos);
  EXPECT_NE(error_of(training(single, {"--label_separator", ""})).find("--label-separator"),
            std::string::npos);
  const std::string marks = write("m.jsonl", R"({"text": "the hill", "labels": [0, 1, 0]})");
  EXPECT_NE(error_of(training(marks)).find("line 1: the label \"0\" comes twice"),
            std::string::npos);
  const std::string lists = write("l.jsonl",
                                  "{\"text\": \"the hill\", \"label\": [\"a\"]}\n"
                                  "{\"text\": \"a bird\", \"label\": [\"b\"]}\n"
                                  "{\"text\": \"the team\", \"label\": [\"a\", \"b\"]}\n");
  output_of(training(lists, {"--problem_type", "single_label_classification"}));
  EXPECT_TRUE(logged("row without just one label, left out: 1, the first at line 3"));
  EXPECT_EQ(text_of("out/labels.txt"), "a\nb\n");
}

TEST_F(ClassifyCommand, ConfusionIsShownBeforeTheScores) {
  const std::string file =
      write("train.tsv", "sentence\tlabel\nthe hill\tyes\na bird\tno\nthe team\tno\n");
  const std::string output = output_of(training(file));
  EXPECT_TRUE(
      output.starts_with("true \\ predicted         no        yes\n"
                         "no                        2          0\n"
                         "yes                       0          1\n{"))
      << output;
}

}  // namespace
}  // namespace bertha::cli
