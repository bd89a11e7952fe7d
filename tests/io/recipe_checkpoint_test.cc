// Checkpoints written by the reference's run_pretraining.py (tests/parity/README.md): every tensor,
// group and name in them is found, for all three ways of pickling.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/archive/crc32.h"
#include "io/weights/tensor_source.h"
#include "io/weights/torch_file.h"
#include "support/paths.h"

namespace bertha::io {
namespace {

std::string parity_path(const std::string& name) {
  return test::tests_path("parity/") + name;
}

void expect_tensor(const TensorData& tensor, const nlohmann::json& expected,
                   const std::string& name) {
  EXPECT_EQ(tensor.dtype, DType::kF32) << name;
  EXPECT_EQ(tensor.shape, expected["shape"].get<std::vector<int64_t>>()) << name;
  EXPECT_EQ(crc32(tensor.bytes), expected["crc32"].get<uint32_t>()) << name;
}

class RecipeCheckpoint : public testing::TestWithParam<const char*> {
 protected:
  RecipeCheckpoint() : path_(parity_path(GetParam())) {
    std::ifstream file(parity_path("recipe_ckpt_2.json"));
    expected_ = nlohmann::json::parse(file)[GetParam()];
  }

  std::string path_;
  nlohmann::json expected_;
};

/// The files that also hold an optimizer.
class RecipeOptimizer : public RecipeCheckpoint {};

std::string name_of_file(const testing::TestParamInfo<const char*>& parameter) {
  const std::string name = parameter.param;
  return name.substr(0, name.size() - 3);
}

TEST_P(RecipeCheckpoint, WeightsAreFoundByName) {
  const auto source = open_weights(path_);
  const nlohmann::json& model = expected_["model"];
  EXPECT_EQ(source->tensors().size(), model.size());
  for (const auto& [name, tensor] : model.items()) {
    expect_tensor(source->read(name), tensor, name);
  }
}

TEST_P(RecipeCheckpoint, FilesAndEpochAreRead) {
  const TorchFile file(path_);
  const nlohmann::json& files = expected_["files"];
  const auto items = file.root().at("files", "root").items();
  ASSERT_EQ(items.size(), files.size());
  EXPECT_EQ(items[0]->integer("files"), files[0].get<int64_t>());
  for (size_t i = 1; i < items.size(); ++i) {
    EXPECT_EQ(items[i]->string("files"), files[i].get<std::string>());
  }
  EXPECT_EQ(file.root().at("epoch", "root").integer("epoch"), 0);
}

TEST_P(RecipeOptimizer, StateIsRead) {
  const TorchFile file(path_);
  const PickleValue& state = file.root().at("optimizer", "root").at("state", "optimizer");
  ASSERT_EQ(state.items().size(), 2 * expected_["state"].size());
  for (const auto& [number, entries] : expected_["state"].items()) {
    const PickleValue* entry = state.find(std::stoll(number));
    ASSERT_NE(entry, nullptr) << number;
    for (const char* moment : {"exp_avg", "exp_avg_sq", "weight_norm", "adam_norm"}) {
      expect_tensor(file.tensor(entry->at(moment, number), moment), entries[moment], number);
    }
    EXPECT_EQ(entry->at("trust_ratio", number).real("trust_ratio"), entries["trust_ratio"]);
  }
}

TEST_P(RecipeOptimizer, GroupsAreRead) {
  const TorchFile file(path_);
  const auto groups = file.root().at("optimizer", "root").at("param_groups", "optimizer").items();
  ASSERT_EQ(groups.size(), 2U);
  for (size_t i = 0; i < groups.size(); ++i) {
    const nlohmann::json& group = expected_["param_groups"][i];
    EXPECT_EQ(groups[i]->items().size(), 2 * group.size());
    for (const char* key : {"lr", "eps", "weight_decay", "max_grad_norm", "initial_lr"}) {
      EXPECT_EQ(groups[i]->at(key, "group").real(key), group[key].get<double>()) << key;
    }
    EXPECT_EQ(groups[i]->at("step", "group").integer("step"), 2);
    EXPECT_TRUE(groups[i]->at("bias_correction", "group").boolean("bias_correction"));
    EXPECT_EQ(groups[i]->at("params", "group").items().size(), group["params"].size());
  }
}

INSTANTIATE_TEST_SUITE_P(Files, RecipeCheckpoint,
                         testing::Values("recipe_ckpt_2.pt", "recipe_ckpt_2_protocol4.pt",
                                         "recipe_ckpt_2_device.pt"),
                         name_of_file);
INSTANTIATE_TEST_SUITE_P(Files, RecipeOptimizer,
                         testing::Values("recipe_ckpt_2.pt", "recipe_ckpt_2_protocol4.pt"),
                         name_of_file);

}  // namespace
}  // namespace bertha::io
