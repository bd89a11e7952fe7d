#include "train/tagging_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>

#include "bert/export.h"
#include "bert/token_classification.h"
#include "infer/tiny_models.h"
#include "support/files.h"
#include "train/stopping_device.h"

namespace bertha::train {
namespace {

class TaggingRunTest : public testing::Test {
 protected:
  TaggingRunTest() {
    test::write_tiny_model(folder_.file("start"), {}, bert::ModelClass::kEncoder);
    std::string text;
    for (int i = 0; i < 20; ++i) {
      text += i % 2 == 0 ? "the O\nred B-LOC\nhouse I-LOC\n\n" : "a O\nteam B-ORG\n\n";
    }
    test::write_all(folder_.file("train.conll"), text);
  }

  TaggingOptions options(const std::string& output) const {
    TaggingOptions o;
    o.train_file = folder_.file("train.conll");
    o.output_dir = folder_.file(output);
    o.max_seq_length = 16;
    o.train_batch_size = 3;  // 7 updates an epoch, the last of 2 sentences
    o.learning_rate = 5e-3;
    o.num_train_epochs = 2;
    o.progress = false;
    return o;
  }

  RunEnd run(const TaggingOptions& o, Device& device) {
    TaggingRun run(o,
                   std::make_shared<const infer::ModelDefinition>(
                       infer::ModelFiles{.weights = folder_.file("start")}),
                   device);
    return run.train(stop_);
  }

  std::atomic<bool> stop_{false};
  cpu::CpuDevice device_;
  test::TemporaryFolder folder_;
};

TEST_F(TaggingRunTest, StoppedAndStartedAgainGivesTheSameBits) {
  const TaggingOptions whole = options("whole");
  ASSERT_EQ(run(whole, device_), RunEnd::kFinished);
  const TaggingOptions parts = options("parts");
  for (const int64_t in : {1, 7}) {
    stop_ = false;
    StoppingDevice device(stop_, in);
    EXPECT_EQ(run(parts, device), RunEnd::kStopped);
    EXPECT_TRUE(std::filesystem::exists(parts.output_dir + "/fine_tuning.pt"));
  }
  stop_ = false;
  ASSERT_EQ(run(parts, device_), RunEnd::kFinished);
  EXPECT_FALSE(std::filesystem::exists(parts.output_dir + "/fine_tuning.pt"));
  for (const char* name : {"/model.safetensors", "/losses.tsv"}) {
    EXPECT_EQ(test::read_all(parts.output_dir + name), test::read_all(whole.output_dir + name));
  }
}

TEST_F(TaggingRunTest, SentencesWithoutTokensTrainNothing) {
  TaggingOptions o = options("empty");
  test::write_all(folder_.file("train.conll"), "\xe2\x80\x8b O\n\n\xe2\x80\x8b B-X\n");
  o.num_train_epochs = 1;
  ASSERT_EQ(run(o, device_), RunEnd::kFinished);
  const std::string losses = test::read_all(o.output_dir + "/losses.tsv");
  EXPECT_NE(losses.find("\n1\tloss\t0"), std::string::npos) << losses;
}

/// Sequences of `lengths` tokens; every second token has a label.
TaskBatch labelled_batch(const std::vector<int32_t>& lengths) {
  TaskBatch batch;
  batch.clear();
  for (const int32_t length : lengths) {
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(5 + length + i);
      batch.segments.push_back(0);
      batch.positions.push_back(i);
      batch.labels.push_back(i % 2 == 0 ? i % 3 : -1);
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.ids.size()));
  }
  return batch;
}

TEST_F(TaggingRunTest, LossIsTheMeanOverLabelsAndNotOverSequences) {
  const bert::Config config = test::tiny_config().padded();
  bert::ParameterStore store(device_, config, {.pooler = false, .classes = 3}, DType::kF32, true);
  store.initialise(bert::InitStyle::kBert, config, 7);
  bert::TokenClassificationModel model(config, store);
  FineTuningTrainer trainer(device_, store, model,
                            {.dropout = false, .max_tokens = 40, .max_sequences = 2});
  const auto loss_of = [&](const std::vector<int32_t>& lengths, int64_t labels) {
    trainer.part(labelled_batch(lengths), labels, 0);
    trainer.end_micro_batch();
    return trainer.losses().at(0).mean;
  };
  const double first = loss_of({4}, 2);
  const double second = loss_of({12}, 6);
  EXPECT_GT(std::abs(first - second), 1e-4);
  EXPECT_NEAR(loss_of({4, 12}, 8), (2 * first + 6 * second) / 8, 1e-6);
}

}  // namespace
}  // namespace bertha::train
