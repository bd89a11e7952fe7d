// bertha squad (with score and features) and ask through their entry points, on a model
// of one small layer, and what they say of files that are not as they should be.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "cli/command_test.h"
#include "cli/squad_tools.h"
#include "io/atomic_file.h"
#include "support/files.h"
#include "support/paths.h"
#include "train/model_folder_writer.h"

namespace bertha::cli {
namespace {

const std::string kFixtures = test::tests_path("tasks/fixtures/squad/");

class SquadCommands : public test::CommandTest {
 protected:
  SquadCommands() {
    const text::Vocabulary vocabulary = text::Vocabulary::load(kFixtures + "vocab.txt");
    bert::Config config = {.vocab_size = vocabulary.size(),
                           .hidden_size = 32,
                           .num_hidden_layers = 1,
                           .num_attention_heads = 2,
                           .intermediate_size = 64,
                           .max_position_embeddings = 64};
    config = config.padded();
    cpu::CpuDevice device;
    bert::ParameterStore encoder(device, config, bert::Heads{}, DType::kF32, false);
    encoder.initialise(bert::InitStyle::kBert, config, 1);
    train::write_model_folder({.folder = path("start"),
                               .model = bert::ModelClass::kEncoder,
                               .vocabulary = &vocabulary,
                               .tokenizer = {}},
                              config, encoder);
  }

  /// Options of bertha squad but for what to do.
  std::vector<std::string> squad(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"--init_checkpoint",  path("start"),
                                          "--config_file",      path("start/config.json"),
                                          "--vocab_file",       kFixtures + "vocab.txt",
                                          "--output_dir",       path("out"),
                                          "--json-summary",     path("out/log.json"),
                                          "--do_lower_case",    "--disable-progress-bar",
                                          "--max_seq_length",   "64",
                                          "--doc_stride",       "24",
                                          "--max_query_length", "16",
                                          "--learning_rate",    "5e-3",
                                          "--train_batch_size", "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> features(const std::string& file) const {
    return {"features",
            file,
            "--vocab_file",
            kFixtures + "vocab.txt",
            "--do_lower_case",
            "--max_seq_length",
            "64",
            "--doc_stride",
            "24",
            "--max_query_length",
            "16"};
  }
};

/// A file of one paragraph.
std::string one_paragraph(const std::string& context,
                          const std::vector<nlohmann::json>& questions) {
  const nlohmann::json paragraph = {{"context", context}, {"qas", questions}};
  return nlohmann::json{
      {"version", "1.1"},
      {"data", {{{"title", "t"}, {"paragraphs", nlohmann::json::array({paragraph})}}}}}
      .dump();
}

nlohmann::json question(const std::string& id, const std::string& text, const std::string& answer,
                        int64_t start) {
  return {{"id", id},
          {"question", text},
          {"answers", nlohmann::json::array({{{"text", answer}, {"answer_start", start}}})}};
}

TEST_F(SquadCommands, TrainsPredictsScoresAndAnswers) {
  const std::string gold = kFixtures + "small.json";
  const std::string printed = output_of(
      run_squad, squad({"--do_train", "--do_predict", "--do_eval", "--train_file", gold,
                        "--predict_file", gold, "--num_train_epochs", "2", "--use_fused_adam",
                        "--eval_steps", "10", "--enable-tensorboard-logging"}));
  EXPECT_TRUE(logged("has exactly") || logged("the first at d1")) << "d1 has an empty passage";
  const auto answers = nlohmann::json::parse(text_of("out/predictions.json"));
  EXPECT_EQ(answers.size(), 12U);
  EXPECT_TRUE(nlohmann::json::parse(text_of("out/nbest_predictions.json")).contains("a1"));
  EXPECT_FALSE(std::filesystem::is_empty(path("out/tensorboard")));

  const std::string scored = output_of(run_squad, {"score", gold, path("out/predictions.json")});
  const nlohmann::json scores = test::last_line(scored);
  EXPECT_TRUE(scores.contains("exact_match"));
  EXPECT_NE(printed.find("F1"), std::string::npos);
  EXPECT_NE(text_of("out/log.json").find("\"F1\": " + scores["f1"].dump().substr(0, 6)),
            std::string::npos)
      << "the run and bertha squad score agree";

  const std::string said = output_of(
      run_ask, {"--init_checkpoint", path("out"), "--passage", "the red house stands on the hill",
                "--question", "where is the house?", "--top", "2"});
  EXPECT_NE(said.find("confidence"), std::string::npos);
  EXPECT_FALSE(logged("no question answering head: answers"));
}

/// At 24 tokens a window there are many more windows than questions, which the schedule counts.
TEST_F(SquadCommands, UpdatesAtRateZeroAreWarnedAbout) {
  const std::vector<std::string> training = {"--do_train",
                                             "--train_file",
                                             kFixtures + "small.json",
                                             "--max_seq_length",
                                             "24",
                                             "--max_query_length",
                                             "8",
                                             "--doc_stride",
                                             "4",
                                             "--use_fused_adam"};
  const auto run = [&](const std::string& epochs, const std::string& steps) {
    std::vector<std::string> arguments = training;
    arguments.insert(arguments.end(), {"--num_train_epochs", epochs, "--max_steps", steps});
    output_of(run_squad, squad(arguments));
    std::filesystem::remove_all(path("out"));
    return logged("learning rate is 0 for the last");
  };
  EXPECT_FALSE(run("2", "2"));
  EXPECT_TRUE(run("2", "-1"));
  EXPECT_TRUE(logged("--max-steps=2 ends there"));
}

TEST_F(SquadCommands, PredictingWithAFreshHeadIsWarnedAbout) {
  output_of(run_squad, squad({"--do_predict", "--predict_file", kFixtures + "small.json"}));
  EXPECT_TRUE(logged("has no question answering head"));
}

TEST_F(SquadCommands, MissingPiecesOfACommandAreNamed) {
  EXPECT_NE(error_of(run_squad, squad({})).find("--do-train, --do-predict"), std::string::npos);
  EXPECT_NE(error_of(run_squad, squad({"--do_train"})).find("--train-file"), std::string::npos);
  EXPECT_NE(error_of(run_squad, squad({"--do_train", "--train_file", kFixtures + "small.json",
                                       "--precision", "int8"}))
                .find("--precision int8: training needs fp32 or bf16"),
            std::string::npos);
  EXPECT_NE(error_of(run_squad, squad({"--do_predict", "--predict_file", kFixtures + "small.json",
                                       "--precision", "int8", "--fp16"}))
                .find("--precision int8 and --fp16"),
            std::string::npos);
  EXPECT_NE(error_of(run_squad, squad({"--do_train", "--train_file", kFixtures + "small.json",
                                       "--eval_steps", "5"}))
                .find("--eval-steps needs --predict-file"),
            std::string::npos);
  EXPECT_NE(error_of(run_squad, squad({"--do_predict", "--predict_file", path("none.json")}))
                .find("none.json"),
            std::string::npos);
}

TEST_F(SquadCommands, FeaturesAreAJsonLineAWindow) {
  std::vector<std::string> arguments = features(kFixtures + "small.json");
  std::istringstream lines(output_of(run_squad, arguments));
  int64_t windows = 0;
  for (std::string line; std::getline(lines, line); ++windows) {
    const auto window = nlohmann::json::parse(line);
    for (const char* name : {"example_index", "doc_span_index", "input_ids", "segment_ids",
                             "token_to_orig_map", "token_is_max_context"}) {
      EXPECT_TRUE(window.contains(name)) << name;
    }
    EXPECT_EQ(window["input_ids"].size(), window["segment_ids"].size());
  }
  EXPECT_GT(windows, 12);
}

TEST_F(SquadCommands, WhatIsNoSquadFileIsAnErrorWithItsPlace) {
  const std::string broken = write("broken.json", R"({"data": [{"paragraphs": [)");
  const std::string what = error_of(run_squad, features(broken));
  EXPECT_NE(what.find("broken.json"), std::string::npos) << what;
  EXPECT_NE(what.find("the text ends too early"), std::string::npos) << what;
  EXPECT_NE(error_of(run_squad, features(write("other.json", "{}"))).find("not a SQuAD file"),
            std::string::npos);
  EXPECT_NE(error_of(run_squad, features(write("empty.json", ""))).find("empty.json"),
            std::string::npos);
}

TEST_F(SquadCommands, FaultyEntriesAreCountedAndNamed) {
  const std::string text = "the red house stands on the hill";
  const std::vector<nlohmann::json> questions = {
      question("good", "what house?", "red", 4),
      question("elsewhere", "which?", "a blue boat", 4),
      question("outside", "which?", "red", 4000),
      {{"question", "no id?"}, {"answers", nlohmann::json::array()}},
      {{"id", "no question"}, {"answers", nlohmann::json::array()}}};
  std::vector<std::string> arguments =
      features(write("faulty.json", one_paragraph(text, questions)));
  arguments.emplace_back("--training");
  const std::string lines = output_of(run_squad, arguments);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1) << "one question is left";
  EXPECT_TRUE(
      logged("answer not found in its passage, question skipped: 1, the first at "
             "elsewhere"));
  EXPECT_TRUE(logged("answer outside its passage, question skipped: 1, the first at outside"));
  EXPECT_TRUE(logged("question without an id: 1"));
  EXPECT_TRUE(logged("question without a text: 1"));
}

TEST_F(SquadCommands, APassageWithoutTextIsNotAsked) {
  const std::string file =
      write("blank.json", one_paragraph(" ", {question("q", "what?", "red", 0)}));
  EXPECT_EQ(output_of(run_squad, features(file)), "");
  EXPECT_TRUE(logged("question about an empty passage, skipped: 1, the first at q"));
  EXPECT_NE(error_of(run_squad, squad({"--do_predict", "--predict_file", file}))
                .find("no question to answer"),
            std::string::npos);
}

TEST_F(SquadCommands, AQuestionOfAMegabyteIsCut) {
  std::string endless;
  while (endless.size() < 1000000) endless += "red house ";
  const std::string file =
      write("long.json", one_paragraph("the red house", {question("q", endless, "red", 4)}));
  const auto window = nlohmann::json::parse(output_of(run_squad, features(file)));
  EXPECT_LE(window["input_ids"].size(), 64U);
  output_of(run_squad, squad({"--do_predict", "--predict_file", file}));
  EXPECT_TRUE(nlohmann::json::parse(text_of("out/predictions.json")).contains("q"));
}

TEST_F(SquadCommands, BytesThatAreNotUtf8AreCounted) {
  std::string json = one_paragraph("the red house", {question("q", "w@?", "red", 4)});
  json.replace(json.find("w@?"), 2, "w\xff");
  const std::string file = write("bytes.json", json);
  EXPECT_NE(output_of(run_squad, features(file)), "");
  EXPECT_TRUE(logged("byte sequence that is not UTF-8, read as U+FFFD: 1"));
}

TEST_F(SquadCommands, AskAnswersTextsOfAllKinds) {
  output_of(run_squad,
            squad({"--do_train", "--train_file", kFixtures + "small.json", "--max_steps", "1"}));
  const auto ask = [&](const std::string& passage, const std::string& question_text) {
    return output_of(run_ask, {"--init_checkpoint", path("out"), "--passage", passage, "--question",
                               question_text});
  };
  EXPECT_NE(ask("a \xff house", "wh\xfe?"), "");
  EXPECT_NE(ask("\xe6\x97\xa5\xe6\x9c\xac", std::string(100000, 'x')), "");
  EXPECT_NE(
      error_of(run_ask, {"--init_checkpoint", path("out"), "--passage", " ", "--question", "what?"})
          .find("the passage is empty"),
      std::string::npos);
  EXPECT_NE(error_of(run_ask, {"--init_checkpoint", path("out"), "--passage", "x", "--question",
                               "what?", "--top", "0"})
                .find("--top 0"),
            std::string::npos);
}

TEST_F(SquadCommands, EncoderOfASentenceTransformersFolderIsFoundInItsPlace) {
  std::filesystem::create_directories(path("sentence"));
  std::filesystem::rename(path("start"), path("sentence/0_Transformer"));
  write("sentence/modules.json",
        R"([{"idx": 0, "name": "0", "path": "0_Transformer",
             "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling",
             "type": "sentence_transformers.models.Pooling"}])");
  std::vector<std::string> arguments =
      squad({"--do_train", "--train_file", kFixtures + "small.json", "--max_steps", "1",
             "--do_predict", "--predict_file", kFixtures + "small.json"});
  arguments[1] = path("sentence");
  arguments[3] = path("sentence/0_Transformer/config.json");
  output_of(run_squad, arguments);
  EXPECT_TRUE(std::filesystem::exists(path("out/predictions.json")));
  EXPECT_TRUE(logged("0_Transformer")) << "its weights are loaded";
}

}  // namespace
}  // namespace bertha::cli
