#pragma once

// What tests of pre-training share: shards of random rows, a model of two layers, runs of it, and
// the state that a checkpoint holds as plain numbers.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "core/philox.h"
#include "dataset/hdf5_shard.h"
#include "io/weights/checkpoint_names.h"
#include "support/files.h"
#include "train/checkpoint.h"
#include "train/pretraining_run.h"

namespace bertha::train {

inline bert::Config tiny_config() {
  return {.vocab_size = 40,
          .hidden_size = 16,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 24,
          .max_position_embeddings = 32};
}

/// A shard of `rows` random sequences of 4 to `length` tokens.
inline void write_tiny_shard(const std::string& path, int64_t rows, int64_t length, uint64_t seed) {
  constexpr int64_t kPredictions = 3;
  dataset::write_shard(
      path, {rows, length, kPredictions},
      [&](int64_t row, const dataset::ShardRow& out) {
        PhiloxStream random(seed, static_cast<uint64_t>(row));
        const auto tokens = 4 + random.below(static_cast<uint64_t>(length - 3));
        for (size_t i = 0; i < tokens; ++i) {
          out.input_ids[i] = static_cast<int32_t>(5 + random.below(35));
          out.input_mask[i] = 1;
          out.segment_ids[i] = i >= tokens / 2 ? 1 : 0;
        }
        for (size_t i = 0; i < 1 + static_cast<size_t>(row % kPredictions); ++i) {
          out.masked_lm_positions[i] = static_cast<int32_t>(i + 1);
          out.masked_lm_ids[i] = static_cast<int32_t>(5 + random.below(35));
        }
        out.next_sentence_label = static_cast<int8_t>(random.below(2));
      },
      1);
}

/// A CPU that sets a flag or spoils a gradient in a chosen micro-batch (counted from 0).
class MeddlingDevice : public cpu::CpuDevice {
 public:
  std::atomic<bool> stop{false};
  int64_t stop_in = -1;
  int64_t spoil_from = -1;
  int64_t spoil_to = -1;  ///< not included

  void write(Out to, const void* host) override {
    const Tensor& tensor = to.tensor();
    CpuDevice::write(to, host);
    // The factor of the masked loss, which every gradient is multiplied by.
    const bool factor = tensor.dtype() == DType::kF32 && tensor.size() == 1;
    if (!factor || micro_batch_ < spoil_from || micro_batch_ >= spoil_to) return;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CpuDevice::write(to, &nan);
  }
  void run(const Segment& segment, BodyRef body) override {
    CpuDevice::run(segment, body);
    if (segment.name != "micro-batch") return;
    if (micro_batch_++ == stop_in) stop = true;
  }

 private:
  int64_t micro_batch_ = 0;
};

/// Weights, then first, then second moments.
inline std::vector<float> state_of(const std::string& checkpoint,
                                   const bert::Config& config = tiny_config()) {
  cpu::CpuDevice device;
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, true);
  TrainerSettings settings;
  settings.limits = {.tokens = 32, .sequences = 2, .masked = 6};
  PretrainingTrainer trainer(device, config, store, settings);
  load_checkpoint(checkpoint, store, trainer.optimizer());
  std::vector<float> values;
  for (int i = 0; i < static_cast<int>(store.table().parameters().size()); ++i) {
    const auto size = static_cast<size_t>(store.table()[i].size());
    std::vector<float> part(3 * size);
    store.read(i, part.data());
    trainer.optimizer().read_moments(i, part.data() + size, part.data() + 2 * size);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

/// Folders of one test and the runs in them.
class TinyRun : public testing::Test {
 protected:
  TinyRun() {
    std::filesystem::create_directories(path("data"));
    for (int64_t i = 0; i < 3; ++i) add_shard(i, 7 + 2 * i);
    std::ofstream(path("config.json")) << bert::recipe_config_json(tiny_config());
  }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void add_shard(int64_t number, int64_t rows) const {
    write_tiny_shard(path("data/x_training_" + std::to_string(number) + ".hdf5"), rows, 16,
                     100 + static_cast<uint64_t>(number));
  }

  /// Eight steps of three micro-batches of two rows, a checkpoint every third step.
  PretrainingOptions options(const std::string& output = "out") const {
    PretrainingOptions options;
    options.input_dir = path("data");
    options.config_file = path("config.json");
    options.output_dir = path(output);
    options.json_summary = path(output + "/dllogger.json");
    options.train_batch_size = 6;
    options.gradient_accumulation_steps = 3;
    options.max_predictions_per_seq = 3;
    options.max_steps = 8;
    options.learning_rate = 0.02;
    options.warmup_proportion = 0.25;
    options.num_steps_per_checkpoint = 3;
    options.progress = false;
    return options;
  }

  RunEnd train(const PretrainingOptions& options) {
    MeddlingDevice device;
    return train(options, device);
  }
  RunEnd train(const PretrainingOptions& options, MeddlingDevice& device) {
    PretrainingRun run(
        options, device, [](const std::string&) {},
        [](const PretrainingOptions& settled) {
          return fmt::format("Namespace(gradient_accumulation_steps={})",
                             settled.gradient_accumulation_steps);
        });
    return run.run(device.stop);
  }
  /// The Error's line; a test failure when there is none.
  std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  std::string error_of(const PretrainingOptions& options) {
    return error_of([&] { train(options); });
  }

  std::vector<int64_t> checkpoints(const std::string& output = "out") const {
    std::vector<int64_t> numbers;
    for (const auto& [number, name] : io::list_checkpoints(path(output))) numbers.push_back(number);
    std::reverse(numbers.begin(), numbers.end());
    return numbers;
  }

  /// Two folders hold the same last checkpoint, bit for bit, and the same losses.
  void expect_same_end(const std::string& one, const std::string& other) {
    const auto a = io::list_checkpoints(path(one));
    const auto b = io::list_checkpoints(path(other));
    ASSERT_FALSE(a.empty());
    ASSERT_FALSE(b.empty());
    EXPECT_EQ(a[0].first, b[0].first);
    EXPECT_TRUE(state_of(a[0].second) == state_of(b[0].second));
    const CheckpointState state_a = read_checkpoint_state(a[0].second);
    const CheckpointState state_b = read_checkpoint_state(b[0].second);
    EXPECT_EQ(state_a.run->rows_consumed, state_b.run->rows_consumed);
    EXPECT_EQ(state_a.step, state_b.step);
    EXPECT_EQ(state_a.epoch, state_b.epoch);
    EXPECT_EQ(state_a.file_index, state_b.file_index);
    EXPECT_EQ(test::read_all(path(one + "/losses.tsv")),
              test::read_all(path(other + "/losses.tsv")));
  }

  test::TemporaryFolder folder_;
};

}  // namespace bertha::train
