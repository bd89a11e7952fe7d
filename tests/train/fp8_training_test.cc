// What 8-bit floats do to a training: losses of a small model beside those of bf16, on the same
// data with the same dropout. Where the processor has no bf16, both are in fp32 but for the
// rounding.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "core/philox.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

constexpr int64_t kSteps = 200;
constexpr int64_t kRows = 24;
constexpr int64_t kLength = 24;
constexpr int32_t kWords = 60;
constexpr int32_t kMask = 61;

bert::Config small_config() {
  return {.vocab_size = 64,
          .hidden_size = 64,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .intermediate_size = 128,
          .max_position_embeddings = 32};
}

/// Rows that can be learned: a half has one word, which stands for its masked words, too; the other
/// half has the same word or, of the next sentence's label 1, another.
PretrainingBatch make_batch(uint64_t number) {
  PhiloxStream random(19, number);
  PretrainingBatch batch;
  batch.clear();
  for (int64_t row = 0; row < kRows; ++row) {
    const auto begin = static_cast<int32_t>(batch.tokens());
    const auto first = static_cast<int32_t>(random.below(kWords));
    const auto label = static_cast<int32_t>(random.below(2));
    const auto second = label == 0 ? first : (first + 7) % kWords;
    for (int32_t i = 0; i < kLength; ++i) {
      const int32_t word = i < kLength / 2 ? first : second;
      const bool masked = i % 6 == 3;
      batch.ids.push_back(masked ? kMask : word);
      batch.segments.push_back(i < kLength / 2 ? 0 : 1);
      batch.positions.push_back(i);
      if (!masked) continue;
      batch.masked_rows.push_back(begin + i);
      batch.masked_labels.push_back(word);
    }
    batch.seq_start.push_back(begin + kLength);
    batch.next_sentence.push_back(label);
  }
  return batch;
}

/// The loss of each step.
std::vector<double> losses_of(bert::Products products, bool recompute = false) {
  cpu::CpuDevice device;
  const bert::Config config = small_config();
  const DType compute = device.has_bf16() ? DType::kBF16 : DType::kF32;
  bert::ParameterStore store(device, config, bert::Heads::for_pretraining(), compute, true,
                             products);
  store.initialise(bert::InitStyle::kBert, config, 3);
  TrainerSettings settings;
  settings.compute = compute;
  settings.recompute = recompute;
  settings.seed = 11;
  settings.optimizer.kind = optim::OptimizerKind::kAdamW;
  settings.limits = {.tokens = kRows * kLength, .sequences = kRows, .masked = kRows * 8};
  PretrainingTrainer trainer(device, config, store, settings);
  std::vector<double> losses;
  for (int64_t step = 0; step < kSteps; ++step) {
    const auto draw = static_cast<uint32_t>(step);
    trainer.micro_batch(make_batch(draw), draw);
    losses.push_back(trainer.losses().back().total());
    EXPECT_FALSE(trainer.update(8e-4, step + 1).skipped);
  }
  return losses;
}

double mean_of(const std::vector<double>& losses, size_t from, size_t count) {
  double sum = 0;
  for (size_t i = from; i < from + count; ++i) sum += losses[i];
  return sum / static_cast<double>(count);
}

TEST(Fp8Training, LossesStayWithinOnePercentOfBFloat16) {
  constexpr size_t kWindow = 20;
  const std::vector<double> wide = losses_of(bert::Products::kWide);
  const std::vector<double> fp8 = losses_of(bert::Products::kFp8);
  EXPECT_NE(fp8, wide) << "the products were not rounded";
  ASSERT_LT(mean_of(wide, kSteps - kWindow, kWindow), 0.75 * mean_of(wide, 0, kWindow))
      << "nothing was learned";
  for (size_t from = 0; from < kSteps; from += kWindow) {
    const double expected = mean_of(wide, from, kWindow);
    EXPECT_NEAR(mean_of(fp8, from, kWindow), expected, 0.01 * expected) << "from step " << from;
  }
}

TEST(Fp8Training, RecomputedLayersRoundAsTheFirstTime) {
  EXPECT_EQ(losses_of(bert::Products::kFp8, true), losses_of(bert::Products::kFp8, false));
}

}  // namespace
}  // namespace bertha::train
