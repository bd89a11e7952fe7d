// Packed rows train as the sequences in them do.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "core/philox.h"
#include "dataset/hdf5_shard.h"
#include "dataset/packing/pack_shards.h"
#include "dataset/packing/packing.h"
#include "parity/fixture.h"
#include "support/files.h"
#include "train/pretraining_options.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

constexpr int64_t kRowLength = 32;

void fill_row(int64_t row, const dataset::ShardRow& out) {
  PhiloxStream random(11, static_cast<uint64_t>(row));
  const size_t length = 5 + random.below(28);
  for (size_t i = 0; i < length; ++i) {
    out.input_ids[i] = static_cast<int32_t>(random.below(60));
    out.input_mask[i] = 1;
    out.segment_ids[i] = i < length / 2 ? 0 : 1;
  }
  for (size_t i = 0; i < 1 + length / 8; ++i) {
    out.masked_lm_positions[i] = static_cast<int32_t>(1 + 3 * i);
    out.masked_lm_ids[i] = static_cast<int32_t>(1 + random.below(59));
  }
  out.next_sentence_label = static_cast<int8_t>(random.below(2));
}

/// All rows of a file as one micro-batch.
PretrainingBatch whole(const std::string& path, int64_t vocab_size) {
  const dataset::RaggedShard shard = dataset::read_shard(
      path, {.vocab_size = vocab_size, .max_position = kRowLength, .max_predictions = 8});
  PretrainingBatch batch;
  batch.clear();
  for (int64_t row = 0; row < shard.rows(); ++row) shard.append_row(row, batch);
  return batch;
}

class PackedTraining : public testing::Test {
 protected:
  struct Outcome {
    LossSums loss;
    double gradient_norm = 0;
  };

  Outcome train(const PretrainingBatch& batch) {
    cpu::CpuDevice device;
    bert::Config config = fixture_.config();
    config.hidden_dropout_prob = 0;
    config.attention_probs_dropout_prob = 0;
    bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, true);
    fixture_.fill(store);
    TrainerSettings settings;
    settings.limits = {.tokens = batch.tokens(),
                       .sequences = batch.sequences(),
                       .masked = static_cast<int64_t>(batch.masked_rows.size())};
    PretrainingTrainer trainer(device, config, store, settings);
    Outcome outcome;
    trainer.micro_batch(batch, 0);
    outcome.loss = trainer.losses().back();
    outcome.gradient_norm = trainer.update(1e-3, 1).gradient_norm;
    return outcome;
  }

  test::ParityFixture fixture_{"2x128"};
  test::TemporaryFolder folder_;
};

TEST_F(PackedTraining, LossAndGradientEqualThoseOfUnpackedRows) {
  const std::string plain = (folder_.path() / "x_training_0.hdf5").string();
  dataset::write_shard(plain, {40, kRowLength, 8}, fill_row, 1);
  dataset::PackOptions options;
  options.row_length = kRowLength;
  options.max_predictions = 12;
  const std::vector<std::string> files = {plain};
  const dataset::SequenceLengths lengths(files, kRowLength, 1);
  const dataset::Packing packing = dataset::pack_histogram(lengths.histogram(), 3);
  ASSERT_LT(packing.rows, 35);
  const std::vector<std::string> packed =
      dataset::write_packed(files, lengths, packing, options, (folder_.path() / "packed").string());
  ASSERT_EQ(packed.size(), 1U);

  const int64_t vocabulary = fixture_.config().vocab_size;
  const PretrainingBatch apart = whole(plain, vocabulary);
  const PretrainingBatch together = whole(packed[0], vocabulary);
  ASSERT_EQ(together.sequences(), 40);
  ASSERT_NE(apart.ids, together.ids);  // another order, the same micro-batch
  const Outcome one = train(apart);
  const Outcome other = train(together);
  EXPECT_EQ(one.loss.masked_count, other.loss.masked_count);
  EXPECT_EQ(one.loss.sequence_count, other.loss.sequence_count);
  EXPECT_NEAR(other.loss.masked / one.loss.masked, 1, 1e-6);
  EXPECT_NEAR(other.loss.next_sentence / one.loss.next_sentence, 1, 1e-6);
  EXPECT_NEAR(other.gradient_norm / one.gradient_norm, 1, 1e-5);
}

TEST(SettlePacked, KeepsTheMicroBatchAndRoundsHalfToEven) {
  const auto steps = [](int64_t given, double sequences_a_row) {
    PretrainingOptions options;
    options.gradient_accumulation_steps = given;
    options.train_batch_size = 16 * given;
    settle_packed(options, sequences_a_row);
    EXPECT_EQ(options.micro_batch(), 16);
    return options.gradient_accumulation_steps;
  };
  EXPECT_EQ(steps(128, 1.2), 107);
  EXPECT_EQ(steps(512, 2.0), 256);
  EXPECT_EQ(steps(5, 2.0), 2);
  EXPECT_EQ(steps(7, 2.0), 4);
  EXPECT_EQ(steps(1, 2.9), 1);
}

}  // namespace
}  // namespace bertha::train
