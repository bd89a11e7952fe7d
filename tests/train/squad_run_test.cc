#include "train/squad_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "backend/cpu/cpu_device.h"
#include "bert/weights.h"
#include "core/error.h"
#include "io/atomic_file.h"
#include "support/files.h"
#include "support/paths.h"
#include "train/model_folder_writer.h"
#include "train/stopping_device.h"

namespace bertha::train {
namespace {

const std::string kFixtures = test::tests_path("tasks/fixtures/squad/");

/// A run over the small fixture, from an encoder without a question answering head.
class SquadRunTest : public testing::Test {
 protected:
  SquadRunTest() {
    config_.vocab_size = vocabulary_.size();
    config_.hidden_size = 32;
    config_.num_hidden_layers = 1;
    config_.num_attention_heads = 2;
    config_.intermediate_size = 64;
    config_.max_position_embeddings = 64;
    config_ = config_.padded();
    bert::ParameterStore encoder(device_, config_, bert::Heads{}, DType::kF32, false);
    encoder.initialise(bert::InitStyle::kBert, config_, 1);
    write_model_folder({.folder = folder() + "/start",
                        .model = bert::ModelClass::kEncoder,
                        .vocabulary = &vocabulary_,
                        .tokenizer = {}},
                       config_, encoder);
    write_training_file();
  }

  std::string folder() const { return folder_.path().string(); }

  /// The fixture without the questions that cannot be trained on.
  void write_training_file() const {
    auto json = nlohmann::json::parse(io::MappedFile(kFixtures + "small.json").text());
    json["data"][0]["paragraphs"].erase(3);
    io::write_file(folder() + "/train.json", json.dump());
  }

  SquadOptions options() const {
    SquadOptions o;
    o.init_checkpoint = folder() + "/start";
    o.config_file = folder() + "/start/bert_config.json";
    o.vocab_file = kFixtures + "vocab.txt";
    o.output_dir = folder() + "/out";
    o.json_summary = folder() + "/log/dllogger.json";
    o.lower_case = true;
    o.do_eval = true;
    o.features = {.max_seq_length = 64, .doc_stride = 24, .max_query_length = 16};
    o.train_batch_size = 8;
    o.learning_rate = 5e-3;
    o.num_train_epochs = 12;
    o.log_freq = 1;
    o.fused_adam = true;
    o.dropout = false;
    o.progress = false;
    return o;
  }

  RunEnd run(const SquadOptions& o) { return run(o, device_); }
  RunEnd run(const SquadOptions& o, Device& device) {
    SquadRun run(
        o, device, [](const std::string&) {}, "Namespace()");
    return run.run(stop_);
  }

  /// The values of a key in the log, in order.
  std::vector<double> logged(const std::string& key) const {
    const io::MappedFile file(folder() + "/log/dllogger.json");
    std::vector<double> values;
    std::istringstream lines{std::string(file.text())};
    for (std::string line; std::getline(lines, line);) {
      const auto record = nlohmann::json::parse(line.substr(5));
      if (record["data"].contains(key)) values.push_back(record["data"][key].get<double>());
    }
    return values;
  }

  std::atomic<bool> stop_{false};
  test::TemporaryFolder folder_;
  cpu::CpuDevice device_;
  text::Vocabulary vocabulary_ = text::Vocabulary::load(kFixtures + "vocab.txt");
  bert::Config config_;
};

TEST_F(SquadRunTest, TrainsPredictsAndGoesOnFromItsOwnFolder) {
  SquadOptions o = options();
  o.train_file = folder() + "/train.json";
  o.predict_file = kFixtures + "small.json";
  run(o);
  const std::vector<double> losses = logged("step_loss");
  ASSERT_EQ(losses.size(), 12U * 15);  // 116 windows
  EXPECT_LT(losses.back(), 0.7 * losses.front());
  EXPECT_EQ(logged("training_samples"), std::vector<double>{11});
  EXPECT_EQ(logged("training_features"), std::vector<double>{116});
  EXPECT_EQ(logged("steps"), std::vector<double>{12});  // int(11 / 8) * 12: of questions
  EXPECT_EQ(logged("learning_rate").back(), 0);
  EXPECT_EQ(logged("F1").size(), 1U);
  for (const char* name :
       {"pytorch_model.bin", "bert_config.json", "model.safetensors", "config.json", "vocab.txt",
        "tokenizer.json", "tokenizer_config.json", "nbest_predictions.json"}) {
    EXPECT_TRUE(std::filesystem::exists(o.output_dir + "/" + name)) << name;
  }
  const std::string first(io::MappedFile(o.output_dir + "/predictions.json").text());
  for (const char* weights : {"/pytorch_model.bin", ""}) {
    SquadOptions again = options();
    again.init_checkpoint = o.output_dir + weights;
    again.predict_file = o.predict_file;
    again.predict_batch_size = 3;
    again.output_dir = folder() + "/again";
    run(again);
    EXPECT_EQ(io::MappedFile(again.output_dir + "/predictions.json").text(), first) << weights;
  }
}

TEST_F(SquadRunTest, TheSameSeedGivesTheSameLosses) {
  SquadOptions o = options();
  o.train_file = folder() + "/train.json";
  o.max_steps = 5;
  o.dropout = true;
  o.fused_adam = false;
  run(o);
  const std::vector<double> first = logged("step_loss");
  ASSERT_EQ(first.size(), 5U);
  EXPECT_EQ(logged("learning_rate").front(), 0);  // BertAdam: the first update has progress 0
  std::filesystem::remove(o.json_summary);
  run(o);
  EXPECT_EQ(logged("step_loss"), first);
  o.seed = 43;
  std::filesystem::remove(o.json_summary);
  EXPECT_THROW(run(o), Error) << "another command made the model";
  o.overwrite = true;
  std::filesystem::remove(o.json_summary);
  run(o);
  EXPECT_NE(logged("step_loss"), first);
}

TEST_F(SquadRunTest, StoppedAndStartedAgainGivesTheSameBits) {
  SquadOptions o = options();
  o.train_file = folder() + "/train.json";
  o.predict_file = kFixtures + "small.json";
  o.dropout = true;
  o.num_train_epochs = 2;
  o.gradient_accumulation_steps = 3;  // 39 micro-batches of 3 rows an epoch
  o.train_batch_size = 9;
  o.output_dir = folder() + "/whole";
  ASSERT_EQ(run(o), RunEnd::kFinished);
  const auto result = [&](const char* name) {
    return std::string(io::MappedFile(o.output_dir + name).text());
  };
  const std::string model = result("/model.safetensors");
  const std::string losses = result("/losses.tsv");
  const std::string predictions = result("/predictions.json");
  o.output_dir = folder() + "/parts";
  const std::string state = o.output_dir + "/fine_tuning.pt";
  // In the middle of an update, after one, and in the second epoch.
  for (const int64_t in : {4, 1, 40}) {
    stop_ = false;
    StoppingDevice device(stop_, in);
    EXPECT_EQ(run(o, device), RunEnd::kStopped);
    EXPECT_TRUE(std::filesystem::exists(state));
    EXPECT_FALSE(std::filesystem::exists(o.output_dir + "/predictions.json"));
  }
  stop_ = false;
  SquadOptions other = o;
  other.learning_rate = 1e-3;
  try {
    run(other);
    FAIL() << "another command took the state over";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("learning_rate is 0.001 here"), std::string::npos)
        << error.what();
  }
  ASSERT_EQ(run(o), RunEnd::kFinished);
  EXPECT_FALSE(std::filesystem::exists(state));
  EXPECT_EQ(result("/model.safetensors"), model);
  EXPECT_EQ(result("/losses.tsv"), losses);
  EXPECT_EQ(result("/predictions.json"), predictions);
}

TEST_F(SquadRunTest, EvaluatesWhileItTrains) {
  SquadOptions o = options();
  o.train_file = folder() + "/train.json";
  o.num_train_epochs = 2;
  o.output_dir = folder() + "/plain";
  run(o);
  const std::string model(io::MappedFile(o.output_dir + "/model.safetensors").text());
  o.output_dir = folder() + "/looked_at";
  o.eval_file = kFixtures + "small.json";
  o.eval_steps = 10;
  o.tensorboard_dir = folder() + "/events";
  run(o);
  EXPECT_EQ(logged("eval_F1").size(), 3U);  // of 30 updates
  EXPECT_EQ(logged("eval_exact_match").size(), 3U);
  EXPECT_EQ(std::string(io::MappedFile(o.output_dir + "/model.safetensors").text()), model)
      << "an evaluation changes nothing";
  const std::string losses(io::MappedFile(o.output_dir + "/losses.tsv").text());
  EXPECT_NE(losses.find("\n30\tF1\t"), std::string::npos) << losses;
  const std::string picture(io::MappedFile(o.output_dir + "/loss.svg").text());
  EXPECT_NE(picture.find(">F1, held out<"), std::string::npos);
  EXPECT_FALSE(std::filesystem::is_empty(folder() + "/events"));
}

TEST_F(SquadRunTest, PartsInAFixedOrderTrainAsOneMicroBatch) {
  SquadOptions o = options();
  o.train_file = folder() + "/train.json";
  o.max_steps = 6;
  run(o);
  const std::vector<double> whole = logged("step_loss");
  o.sums.fixed_order = true;  // eight parts of one window each
  std::filesystem::remove(o.json_summary);
  run(o);
  const std::vector<double> parts = logged("step_loss");
  ASSERT_EQ(parts.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(parts[i] / whole[i], 1, 1e-4) << i;
}

TEST_F(SquadRunTest, OptionsThatDoNotFitAreRefused) {
  SquadOptions o = options();
  o.features.max_seq_length = 128;
  EXPECT_THROW(run(o), Error);  // more than the model's positions
  o = options();
  o.train_batch_size = 10;
  o.gradient_accumulation_steps = 3;
  EXPECT_THROW(run(o), Error);
  o = options();
  o.predict_batch_size = 0;
  EXPECT_THROW(run(o), Error);
}

}  // namespace
}  // namespace bertha::train
