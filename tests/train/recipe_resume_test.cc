// Going on from a checkpoint that the recipe itself wrote, and handing one back
// (tests/parity/README.md).

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "io/archive/crc32.h"
#include "io/weights/torch_file.h"
#include "support/files.h"
#include "support/paths.h"
#include "train/checkpoint.h"
#include "train/pretraining_trainer.h"

namespace bertha::train {
namespace {

std::string parity_path(const std::string& name) {
  return test::tests_path("parity/") + name;
}

bert::Config recipe_config() {
  return {.vocab_size = 24,
          .hidden_size = 8,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 20,
          .max_position_embeddings = 16};
}

uint32_t crc32_of(const std::vector<float>& values) {
  return io::crc32(std::as_bytes(std::span<const float>(values)));
}

/// A model and a trainer of it.
struct Trainee {
  cpu::CpuDevice device;
  bert::Config config = recipe_config();
  bert::ParameterStore store{device, config, bert::Heads::for_pretraining(), DType::kF32, true};
  PretrainingTrainer trainer{device, config, store, settings()};

  static TrainerSettings settings() {
    TrainerSettings result;
    result.limits = {.tokens = 48, .sequences = 4, .masked = 12};
    return result;
  }
};

OptimizerRecord optimizer_record() {
  OptimizerRecord record;
  record.rate = 0.001;
  record.initial_rate = 0.006;
  return record;
}

class RecipeResume : public testing::TestWithParam<const char*> {
 protected:
  RecipeResume() : path_(parity_path(GetParam())) {
    std::ifstream file(parity_path("recipe_ckpt_2.json"));
    expected_ = nlohmann::json::parse(file)[GetParam()];
  }

  /// Number of a parameter in the optimizer's state: all that decay come first.
  static int64_t optimizer_number(const bert::ParameterTable& table, int index) {
    int64_t number = 0;
    for (int i = 0; i < static_cast<int>(table.parameters().size()); ++i) {
      const bool before = table[i].decay == table[index].decay ? i < index : table[i].decay;
      if (before) ++number;
    }
    return number;
  }

  /// Weights and moments of the run are those of the recipe's file.
  void expect_as_in_the_file(const Trainee& run) {
    const bert::ParameterTable& table = run.store.table();
    for (int i = 0; i < static_cast<int>(table.parameters().size()); ++i) {
      const auto size = static_cast<size_t>(table[i].size());
      std::vector<float> weight(size);
      std::vector<float> first(size);
      std::vector<float> second(size);
      run.store.read(i, weight.data());
      run.trainer.optimizer().read_moments(i, first.data(), second.data());
      const nlohmann::json& state = expected_["state"][std::to_string(optimizer_number(table, i))];
      EXPECT_EQ(crc32_of(weight), expected_["model"][table[i].name]["crc32"]) << table[i].name;
      EXPECT_EQ(crc32_of(first), state["exp_avg"]["crc32"]) << table[i].name;
      EXPECT_EQ(crc32_of(second), state["exp_avg_sq"]["crc32"]) << table[i].name;
    }
  }

  std::string path_;
  nlohmann::json expected_;
};

TEST_P(RecipeResume, RecipeCheckpointIsLoadedWhole) {
  Trainee run;
  load_checkpoint(path_, run.store, run.trainer.optimizer());
  expect_as_in_the_file(run);
  const CheckpointState state = read_checkpoint_state(path_);
  EXPECT_FALSE(state.run.has_value());
  EXPECT_EQ(state.file_index, expected_["files"][0].get<int64_t>());
  ASSERT_EQ(state.files.size(), expected_["files"].size() - 1);
  for (size_t i = 0; i < state.files.size(); ++i) {
    EXPECT_EQ(state.files[i], expected_["files"][i + 1].get<std::string>());
  }
}

TEST_P(RecipeResume, SavedCheckpointHoldsWhatWasLoaded) {
  Trainee run;
  load_checkpoint(path_, run.store, run.trainer.optimizer());
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "ckpt_2.pt").string();
  CheckpointState state = read_checkpoint_state(path_);
  state.step = 2;
  save_checkpoint(path, run.store, run.trainer.optimizer(), state, optimizer_record());
  Trainee again;
  load_checkpoint(path, again.store, again.trainer.optimizer());
  expect_as_in_the_file(again);
  EXPECT_EQ(read_checkpoint_state(path).files, state.files);
}

TEST_P(RecipeResume, ParameterGroupsHoldTheSettingsOfTheRecipe) {
  Trainee run;
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "ckpt_2.pt").string();
  CheckpointState state;
  state.step = 2;
  save_checkpoint(path, run.store, run.trainer.optimizer(), state, optimizer_record());
  const io::TorchFile file(path);
  const auto groups = file.root().at("optimizer", "root").at("param_groups", "optimizer").items();
  ASSERT_EQ(groups.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const nlohmann::json& group = expected_["param_groups"][i];
    for (const char* key : {"eps", "weight_decay", "max_grad_norm", "initial_lr"}) {
      EXPECT_EQ(groups[i]->at(key, "group").real(key), group[key].get<double>()) << key;
    }
    const auto betas = groups[i]->at("betas", "group").items();
    EXPECT_EQ(betas[0]->real("betas"), 0.9);
    EXPECT_EQ(betas[1]->real("betas"), 0.999);
    EXPECT_EQ(groups[i]->at("step", "group").integer("step"), 2);
    const auto params = groups[i]->at("params", "group").items();
    ASSERT_EQ(params.size(), group["params"].size());
    EXPECT_EQ(params[0]->integer("params"), group["params"][0].get<int64_t>());
  }
}

INSTANTIATE_TEST_SUITE_P(Files, RecipeResume,
                         testing::Values("recipe_ckpt_2.pt", "recipe_ckpt_2_protocol4.pt"),
                         [](const auto& parameter) {
                           const std::string name = parameter.param;
                           return name.substr(0, name.size() - 3);
                         });

}  // namespace
}  // namespace bertha::train
