// A tiny model trained on the CPU and on an accelerator, dropout on, from the same weights: losses,
// gradient norms and weights stay together.

#include <gtest/gtest.h>

#include <memory>

#include "accelerator/under_test.h"
#include "backend/cpu/cpu_device.h"
#include "core/philox.h"
#include "support/compare.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

constexpr int64_t kSteps = 2;

struct Sizes {
  int64_t hidden, heads, layers;
  int64_t micro_batches = 2;
};

bert::Config tiny_config(const Sizes& sizes) {
  return {.vocab_size = 40,
          .hidden_size = sizes.hidden,
          .num_hidden_layers = sizes.layers,
          .num_attention_heads = sizes.heads,
          .intermediate_size = 48,
          .max_position_embeddings = 24};
}

PretrainingBatch make_batch(uint64_t stream, std::initializer_list<int32_t> lengths) {
  PhiloxStream random(5, stream);
  PretrainingBatch batch;
  batch.clear();
  for (const int32_t length : lengths) {
    const auto begin = static_cast<int32_t>(batch.tokens());
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(static_cast<int32_t>(random.below(40)));
      batch.segments.push_back(i < length / 2 ? 0 : 1);
      batch.positions.push_back(i);
      if (i % 5 != 2) continue;
      batch.masked_rows.push_back(begin + i);
      batch.masked_labels.push_back(static_cast<int32_t>(random.below(40)));
    }
    batch.seq_start.push_back(begin + length);
    batch.next_sentence.push_back(static_cast<int32_t>(random.below(2)));
  }
  return batch;
}

/// What a run gives: for every step the losses of its micro-batches and the gradient's norm, then
/// the weights of all parameters.
std::vector<double> train_on(Device& device, const Sizes& sizes) {
  const bert::Config config = tiny_config(sizes);
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), DType::kF32, true);
  store.initialise(bert::InitStyle::kRecipe, config, 3);
  TrainerSettings settings;
  settings.accumulation = sizes.micro_batches;
  settings.seed = 11;
  settings.limits = {.tokens = 64, .sequences = 3, .masked = 32};
  PretrainingTrainer trainer(device, config, store, settings);
  std::vector<double> record;
  for (int64_t step = 0; step < kSteps; ++step) {
    for (int64_t i = 0; i < sizes.micro_batches; ++i) {
      const auto draw = static_cast<uint32_t>(step * sizes.micro_batches + i);
      trainer.micro_batch(make_batch(draw, {17, 6, 20}), draw);
    }
    for (const LossSums& sums : trainer.losses()) record.push_back(sums.total());
    record.push_back(trainer.update(2e-3, step + 1).gradient_norm);
  }
  for (size_t i = 0; i < store.table().parameters().size(); ++i) {
    std::vector<float> values(static_cast<size_t>(store.table().parameters()[i].size()));
    store.read(static_cast<int>(i), values.data());
    record.insert(record.end(), values.begin(), values.end());
  }
  return record;
}

/// Hidden sizes that are no multiple of 32 place the biases of key and value between aligned
/// addresses; 312 is TinyBERT's, and 18 is no multiple of 4. A step of one micro-batch overwrites
/// gradients.
class AcceleratorTraining : public testing::TestWithParam<Sizes> {
 protected:
  void SetUp() override {
    if (!test::accelerator().absence(0).empty()) GTEST_SKIP() << test::accelerator().absence(0);
  }
};

INSTANTIATE_TEST_SUITE_P(Sizes, AcceleratorTraining,
                         testing::Values(Sizes{32, 2, 2}, Sizes{20, 2, 1}, Sizes{18, 2, 1, 1},
                                         Sizes{312, 12, 1, 1}),
                         [](const auto& of) { return fmt::format("Hidden{}", of.param.hidden); });

TEST_P(AcceleratorTraining, FollowsTheCpu) {
  cpu::CpuDevice host;
  const std::vector<double> expected = train_on(host, GetParam());
  const std::vector<double> actual = train_on(*test::accelerator().open(0), GetParam());
  const auto steps = static_cast<size_t>(kSteps * (GetParam().micro_batches + 1));
  const auto head = [&](const std::vector<double>& all) {
    return std::vector<double>(all.begin(), all.begin() + static_cast<int64_t>(steps));
  };
  test::expect_each_close(head(actual), head(expected), 0, 2e-5, "losses and norms");
  test::expect_close(actual, expected, 1e-4, "weights");
}

TEST_P(AcceleratorTraining, RepeatsBitForBit) {
  // One device at a time: a process may have no more.
  const std::vector<double> first = train_on(*test::accelerator().open(0), GetParam());
  EXPECT_EQ(train_on(*test::accelerator().open(0), GetParam()), first);
}

}  // namespace
}  // namespace bertha::train
