// Training and prediction on the Gaudi backend beside the CPU: a hundred steps, batches of changing
// shapes, a run that is stopped and continued, recipes on disk.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "accelerator/under_test.h"
#include "backend/cpu/cpu_device.h"
#include "backend/gaudi/gaudi_device.h"
#include "backend/gaudi/recipe_cache.h"
#include "bert/question_answering.h"
#include "core/philox.h"
#include "infer/predictor.h"
#include "support/compare.h"
#include "support/files.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

bert::Config tiny_config() {
  return {.vocab_size = 32,
          .hidden_size = 16,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 32,
          .max_position_embeddings = 24};
}

/// Two sequences, or three in each third batch, of lengths that change from batch to batch. A
/// masked token is the one before it plus 1, which a model can learn.
PretrainingBatch make_batch(uint64_t number) {
  PhiloxStream random(5, number);
  PretrainingBatch batch;
  batch.clear();
  for (uint64_t s = 0; s < (number % 3 == 0 ? 3 : 2); ++s) {
    const auto begin = static_cast<int32_t>(batch.tokens());
    const auto length = static_cast<int32_t>(6 + random.below(5));
    for (int32_t i = 0; i < length; ++i) {
      batch.ids.push_back(static_cast<int32_t>(random.below(31)));
      batch.segments.push_back(i < length / 2 ? 0 : 1);
      batch.positions.push_back(i);
      if (i % 4 != 2) continue;
      batch.masked_rows.push_back(begin + i);
      batch.masked_labels.push_back(batch.ids[static_cast<size_t>(begin + i - 1)] + 1);
    }
    batch.seq_start.push_back(begin + length);
    batch.next_sentence.push_back(static_cast<int32_t>(random.below(2)));
  }
  return batch;
}

/// A trainer with its weights.
class TinyRun {
 public:
  explicit TinyRun(Device& device, bool recompute = false)
      : store_(device, config_, bert::Heads::for_pretraining(), DType::kF32, true) {
    store_.initialise(bert::InitStyle::kRecipe, config_, 3);
    TrainerSettings settings;
    settings.accumulation = 1;
    settings.seed = 11;
    settings.recompute = recompute;
    settings.limits = {.tokens = 64, .sequences = 3, .masked = 32};
    trainer_ = std::make_unique<PretrainingTrainer>(device, config_, store_, settings);
  }

  /// Loss and gradient norm of each of the steps [first, end).
  std::vector<double> train(int64_t first, int64_t end) {
    std::vector<double> record;
    for (int64_t step = first; step < end; ++step) {
      trainer_->micro_batch(make_batch(static_cast<uint64_t>(step)), static_cast<uint32_t>(step));
      record.push_back(trainer_->losses().front().total());
      record.push_back(trainer_->update(2e-3, step + 1).gradient_norm);
    }
    return record;
  }

  /// Weights and moments of all parameters.
  std::vector<std::vector<float>> state() const {
    std::vector<std::vector<float>> state;
    for (size_t i = 0; i < store_.table().parameters().size(); ++i) {
      const auto size = static_cast<size_t>(store_.table().parameters()[i].size());
      for (int which = 0; which < 3; ++which) state.emplace_back(size);
      const auto at = state.end() - 3;
      store_.read(static_cast<int>(i), at[0].data());
      trainer_->optimizer().read_moments(static_cast<int>(i), at[1].data(), at[2].data());
    }
    return state;
  }
  void set_state(const std::vector<std::vector<float>>& state) {
    for (size_t i = 0; i < store_.table().parameters().size(); ++i) {
      store_.write(static_cast<int>(i), state[3 * i].data());
      trainer_->optimizer().write_moments(static_cast<int>(i), state[3 * i + 1].data(),
                                          state[3 * i + 2].data());
    }
    store_.weights_changed();
  }

 private:
  bert::Config config_ = tiny_config();
  bert::ParameterStore store_;
  std::unique_ptr<PretrainingTrainer> trainer_;
};

TEST(GaudiTraining, HundredStepsFollowTheCpu) {
  constexpr int64_t kSteps = 100;
  cpu::CpuDevice host;
  const std::vector<double> expected = TinyRun(host).train(0, kSteps);
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  const std::vector<double> actual = TinyRun(*device).train(0, kSteps);
  test::expect_each_close(actual, expected, 0, 2e-3, "losses and norms");
}

TEST(GaudiTraining, ActivationsMadeAgainGiveTheSame) {
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  const std::vector<double> kept = TinyRun(*device, false).train(0, 3);
  const std::vector<double> again = TinyRun(*device, true).train(0, 3);
  test::expect_each_close(again, kept, 0, 1e-6, "losses and norms");
}

TEST(GaudiTraining, ContinuedRunHasTheSameBits) {
  std::vector<std::vector<float>> expected;
  std::vector<std::vector<float>> halfway;
  {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    TinyRun whole(*device);
    whole.train(0, 3);
    halfway = whole.state();
    whole.train(3, 6);
    expected = whole.state();
  }
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  TinyRun continued(*device);
  continued.set_state(halfway);
  continued.train(3, 6);
  EXPECT_EQ(continued.state(), expected);
}

/// Logits of question answering of a few batches, each of another shape.
std::vector<float> logits_on(Device& device) {
  const bert::Config config = tiny_config();
  bert::Heads heads;
  heads.question_answering = true;
  bert::ParameterStore store(device, config, heads, DType::kF32, false);
  store.initialise(bert::InitStyle::kRecipe, config, 4);
  bert::QuestionAnsweringModel model(config, store);
  infer::TaskPass pass("answer", model);
  infer::Predictor predictor(device, DType::kF32, pass, {.tokens = 96, .sequences = 3});
  std::vector<float> logits;
  for (uint64_t number = 0; number < 6; ++number) {
    const std::span<const float> of_batch = predictor.run(make_batch(number));
    logits.insert(logits.end(), of_batch.begin(), of_batch.end());
  }
  return logits;
}

TEST(GaudiPrediction, IsThatOfTheCpu) {
  cpu::CpuDevice host;
  const std::unique_ptr<Device> device = test::accelerator().open(0);
  test::expect_close(logits_on(*device), logits_on(host), 1e-5, "logits");
}

TEST(GaudiPrediction, RecipesOnDiskTakeThePlaceOfCompiling) {
  const test::TemporaryFolder folder;
  setenv("BERTHA_GAUDI_RECIPES", folder.path().c_str(), 1);
  const auto predict = [] {
    const std::unique_ptr<Device> device = test::accelerator().open(0);
    const std::vector<float> logits = logits_on(*device);
    const auto& recipes = static_cast<gaudi::GaudiDevice&>(*device).recipes();
    return std::tuple(logits, recipes.compiled(), recipes.loaded());
  };
  const auto [first, first_compiled, first_loaded] = predict();
  EXPECT_GT(first_compiled, 0);
  EXPECT_EQ(first_loaded, 0);
  const auto [second, second_compiled, second_loaded] = predict();
  EXPECT_EQ(second, first);
  EXPECT_EQ(second_compiled, 0);
  EXPECT_EQ(second_loaded, first_compiled);
  // A file that is cut off is no reason to fail.
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    std::filesystem::resize_file(file, 7);
  }
  const auto [third, third_compiled, third_loaded] = predict();
  EXPECT_EQ(third, first);
  EXPECT_EQ(third_compiled, first_compiled);
  setenv("BERTHA_GAUDI_RECIPES", "0", 1);
}

TEST(GaudiPrediction, GraphsAreWrittenAsJson) {
  const test::TemporaryFolder folder;
  setenv("BERTHA_GAUDI_GRAPHS", folder.path().c_str(), 1);
  logits_on(*test::accelerator().open(0));
  unsetenv("BERTHA_GAUDI_GRAPHS");
  int64_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    const std::string json = test::read_all(file.path().string());
    EXPECT_NE(json.find("\"guid\":\"batch_gemm\""), std::string::npos);
    ++files;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace bertha::train
