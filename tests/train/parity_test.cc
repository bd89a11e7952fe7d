// Twenty updates of the trainer against the recipe's NVLAMB and torch.optim.AdamW
// (tests/parity/README.md).

#include "parity/fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

using test::ParityFixture;

class OptimizerParity : public testing::TestWithParam<const char*> {
 protected:
  OptimizerParity()
      : fixture_(GetParam()),
        config_(fixture_.config()),
        store_(device_, config_, bert::Heads::for_pretraining(), DType::kF32, true) {
    fixture_.fill(store_);
  }

  /// Trains on the fixture's batches; every loss and gradient norm on the way must agree too.
  void train(optim::OptimizerKind kind, double max_gradient_norm, const nlohmann::json& expected) {
    TrainerSettings settings;
    settings.optimizer.kind = kind;
    settings.optimizer.max_gradient_norm = max_gradient_norm;
    for (size_t step = 0; step < 4; ++step) {
      const PretrainingBatch batch = fixture_.training_batch(step);
      settings.limits.tokens = std::max(settings.limits.tokens, batch.tokens());
      settings.limits.sequences = std::max(settings.limits.sequences, batch.sequences());
      settings.limits.masked =
          std::max(settings.limits.masked, static_cast<int64_t>(batch.masked_rows.size()));
    }
    PretrainingTrainer trainer(device_, config_, store_, settings);
    const auto rates = expected["rates"].get<std::vector<double>>();
    for (size_t step = 0; step < rates.size(); ++step) {
      trainer.micro_batch(fixture_.training_batch(step), static_cast<uint32_t>(step));
      const LossSums loss = trainer.losses().back();
      const optim::UpdateResult update =
          trainer.update(rates[step], static_cast<int64_t>(step) + 1);
      EXPECT_NEAR(loss.total() / expected["losses_fp64"][step].get<double>(), 1, 2e-6) << step;
      EXPECT_NEAR(update.gradient_norm / expected["gradient_norms"][step].get<double>(), 1, 1e-5)
          << step;
      EXPECT_FALSE(update.skipped);
    }
  }

  void expect_weights(const nlohmann::json& records) {
    const auto& parameters = store_.table().parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      std::vector<float> values(static_cast<size_t>(parameters[i].size()));
      store_.read(static_cast<int>(i), values.data());
      const double norm = records[i]["norm"].get<double>();
      EXPECT_LE(fixture_.distance(values, i, records[i]) / norm, test::kParityLimit)
          << parameters[i].name;
    }
  }

  cpu::CpuDevice device_;
  ParityFixture fixture_;
  bert::Config config_;
  bert::ParameterStore store_;
};

TEST_P(OptimizerParity, TwentyLambStepsEqualTheRecipe) {
  const nlohmann::json& expected = fixture_.json()["lamb"];
  train(optim::OptimizerKind::kLamb, 1, expected);
  expect_weights(expected["weights"]);
}

TEST_P(OptimizerParity, TwentyAdamWStepsEqualPyTorch) {
  const nlohmann::json& expected = fixture_.json()["adamw"];
  train(optim::OptimizerKind::kAdamW, 0, expected);
  expect_weights(expected["weights"]);
}

INSTANTIATE_TEST_SUITE_P(Models, OptimizerParity, testing::Values("2x128", "3x96"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace bertha::train
