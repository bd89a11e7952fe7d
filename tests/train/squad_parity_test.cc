// Fifty updates of a question answering model against PyTorch (tests/parity/README.md).

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_device.h"
#include "bert/question_answering.h"
#include "core/philox.h"
#include "infer/predictor.h"
#include "io/atomic_file.h"
#include "support/paths.h"
#include "train/fine_tuning.h"

namespace bertha::train {
namespace {

class SquadParity : public testing::TestWithParam<const char*> {
 protected:
  SquadParity() { start_again(); }

  void start_again() {
    const auto& parameters = store_.table().parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      store_.write(static_cast<int>(i), initial_values(parameters[i], i).data());
    }
    store_.weights_changed();
  }

  /// As make_fixtures.py makes them: uniform in [-1/8, 1/8), a LayerNorm's gain 1 + that.
  std::vector<float> initial_values(const bert::Parameter& parameter, size_t tensor) const {
    const float base = parameter.name.ends_with("LayerNorm.weight") ? 1.0F : 0.0F;
    std::vector<float> values(static_cast<size_t>(parameter.size()));
    for (size_t i = 0; i < values.size(); ++i) {
      const uint32_t word = philox({static_cast<uint32_t>(i), 0, static_cast<uint32_t>(tensor), 0},
                                   json_["seed"].get<uint64_t>())[0];
      values[i] = base + (static_cast<float>(word >> 8) * 0x1p-24F - 0.5F) * 0.25F;
    }
    return values;
  }

  void append(const nlohmann::json& window, TaskBatch& batch) const {
    const auto ids = window["ids"].get<std::vector<int32_t>>();
    for (int32_t i = 0; i < std::ssize(ids); ++i) {
      batch.ids.push_back(ids[static_cast<size_t>(i)]);
      batch.segments.push_back(i < window["first_segment"].get<int32_t>() ? 0 : 1);
      batch.positions.push_back(i);
    }
    batch.seq_start.push_back(static_cast<int32_t>(batch.tokens()));
    batch.labels.push_back(window["start"].get<int32_t>());
    batch.labels.push_back(window["end"].get<int32_t>());
  }

  TaskBatch batch_of(size_t step) const {
    const auto size = json_["batch"].get<size_t>();
    TaskBatch batch;
    batch.clear();
    for (size_t i = 0; i < size; ++i) {
      append(json_["windows"][(step * size + i) % json_["windows"].size()], batch);
    }
    return batch;
  }

  nlohmann::json json_ =
      nlohmann::json::parse(io::MappedFile(test::tests_path("parity/squad_2x64.json")).text());
  bert::Config config_ = bert::parse_config(json_["config"].dump(), "fixture");
  cpu::CpuDevice device_;
  bert::ParameterStore store_{device_, config_, bert::Heads{.question_answering = true},
                              DType::kF32, true};
  bert::QuestionAnsweringModel model_{config_, store_};
};

TEST_P(SquadParity, LossesAndLogitsArePyTorchs) {
  const std::string kind = GetParam();
  FineTuningSettings settings;
  settings.train_pooler = false;
  settings.optimizer.clip_each = kind == "each";
  settings.dropout = false;
  settings.max_tokens = 512;
  settings.max_sequences = 6;
  FineTuningTrainer trainer(device_, store_, model_, settings);
  const nlohmann::json& expected = json_[kind];
  for (size_t step = 0; step < expected["losses"].size(); ++step) {
    trainer.part(batch_of(step), 12, static_cast<uint32_t>(step));
    trainer.end_micro_batch();
    const double loss = trainer.losses().at(0).mean;
    EXPECT_NEAR(loss / expected["losses"][step].get<double>(), 1, 5e-6) << step;
    EXPECT_TRUE(trainer.update(json_["rates"][step].get<double>(), static_cast<int64_t>(step) + 1));
  }
  infer::TaskPass pass("question answering", model_);
  infer::Predictor predictor(device_, DType::kF32, pass, {.tokens = 512, .sequences = 6});
  for (size_t i = 0; i < expected["logits"].size(); ++i) {
    TaskBatch batch;
    batch.clear();
    append(json_["windows"][i], batch);
    const std::span<const float> logits = predictor.run(batch);
    for (size_t column = 0; column < 2; ++column) {
      const auto truth = expected["logits"][i][column].get<std::vector<double>>();
      for (size_t token = 0; token < truth.size(); ++token) {
        ASSERT_NEAR(double{logits[2 * token + column]}, truth[token], 2e-5) << i << " " << token;
      }
    }
  }
}

TEST_P(SquadParity, BiasCorrectionIsAScaleOfTheRate) {
  // By definition (Kingma and Ba, Adam, end of section 2), epsilon apart.
  const auto losses = [&](bool corrects) {
    start_again();
    FineTuningSettings settings;
    settings.train_pooler = false;
    settings.optimizer.adam.eps = 1e-14;
    settings.optimizer.bias_correction = corrects;
    settings.dropout = false;
    settings.max_tokens = 512;
    settings.max_sequences = 6;
    FineTuningTrainer trainer(device_, store_, model_, settings);
    std::vector<double> found;
    for (int64_t step = 1; step <= 8; ++step) {
      trainer.part(batch_of(static_cast<size_t>(step)), 12, 0);
      trainer.end_micro_batch();
      found.push_back(trainer.losses().at(0).mean);
      const double t = static_cast<double>(step);
      const double scale = std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
      trainer.update(corrects ? 1e-4 : 1e-4 * scale, step);
    }
    return found;
  };
  const std::vector<double> corrected = losses(true);
  const std::vector<double> scaled = losses(false);
  for (size_t i = 0; i < corrected.size(); ++i) {
    EXPECT_NEAR(corrected[i] / scaled[i], 1, 1e-5) << i;
  }
  EXPECT_GT(std::abs(corrected.front() / corrected.back() - 1), 1e-3);
}

TEST_P(SquadParity, AccumulationOfHalvesIsTheWholeBatch) {
  // Two micro-batches of three windows weigh as one of six; only the clip in between differs, which
  // a large limit switches off.
  FineTuningSettings settings;
  settings.train_pooler = false;
  settings.dropout = false;
  settings.optimizer.max_gradient_norm = 1e6;
  settings.max_tokens = 512;
  settings.max_sequences = 6;
  std::vector<float> whole(static_cast<size_t>(store_.table()[0].size()));
  std::vector<float> halves = whole;
  std::vector<float> start = whole;
  store_.read(0, start.data());
  {
    FineTuningTrainer trainer(device_, store_, model_, settings);
    trainer.part(batch_of(0), 12, 0);
    trainer.end_micro_batch();
    trainer.losses();
    trainer.update(1e-3, 1);
    store_.read(0, whole.data());
  }
  start_again();
  settings.accumulation = 2;
  FineTuningTrainer trainer(device_, store_, model_, settings);
  for (const size_t half : {0U, 3U}) {
    TaskBatch batch;
    batch.clear();
    for (size_t i = 0; i < 3; ++i) append(json_["windows"][half + i], batch);
    trainer.part(batch, 6, 0);
    trainer.end_micro_batch();
  }
  EXPECT_EQ(trainer.losses().size(), 2U);
  trainer.update(1e-3, 1);
  store_.read(0, halves.data());
  double moved = 0;
  double apart = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    moved = std::max(moved, std::abs(double{whole[i]} - double{start[i]}));
    apart = std::max(apart, std::abs(double{whole[i]} - double{halves[i]}));
  }
  EXPECT_GT(moved, 1e-3);
  // Adam's first step is a sign: where a gradient is nearly 0 the two may differ.
  EXPECT_LT(apart, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Clipping, SquadParity, testing::Values("global", "each"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(EpochOrder, IsAPermutationThatSeedAndEpochDecide) {
  const std::vector<int64_t> order = epoch_order(1000, 7, 0);
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(sorted[static_cast<size_t>(i)], i);
  EXPECT_EQ(order, epoch_order(1000, 7, 0));
  EXPECT_NE(order, epoch_order(1000, 7, 1));
  EXPECT_NE(order, epoch_order(1000, 8, 0));
  EXPECT_TRUE(epoch_order(0, 1, 0).empty());
}

}  // namespace
}  // namespace bertha::train
