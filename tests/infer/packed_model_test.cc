// Models opened for inference hold the weights of their encoder's products once, as kernels read
// them, and give the bits of models that hold them as they are trained.

#include <gtest/gtest.h>

#include <memory>

#include "bert/encoder_products.h"
#include "bert/weights.h"
#include "core/error.h"
#include "infer/embed.h"
#include "infer/tiny_models.h"

namespace bertha::infer {
namespace {

/// Numbers of channels that are no whole panels.
bert::Config odd_config() {
  bert::Config config = test::tiny_config();
  config.hidden_size = 40;
  config.intermediate_size = 100;
  return config;
}

class PackedModel : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (GetParam() == DType::kBF16 && !device_.has_bf16()) GTEST_SKIP() << "no bf16 here";
    test::write_tiny_model(folder_, {.pooler = true}, bert::ModelClass::kEncoder);
  }
  std::unique_ptr<Model> open(bool trainable) {
    return Model::open({.weights = folder_}, device_,
                       {.arithmetic = {.compute = GetParam()}, .trainable = trainable});
  }
  static std::vector<float> hidden(const Model& model) {
    EmbedSettings settings = embed_settings(model.definition(), std::nullopt);
    settings.all_tokens = true;
    EmbedTask task(model, settings);
    const EmbedRequest request = {.text = "the red house stands on the hill"};
    return task.run({&request, 1}).at(0).vector;
  }

  cpu::CpuDevice device_;
  test::TemporaryFolder parent_;
  std::string folder_ = parent_.file("model");
};

TEST_P(PackedModel, GivesTheBitsOfAModelThatIsTrained) {
  EXPECT_EQ(hidden(*open(false)), hidden(*open(true)));
}

TEST_P(PackedModel, HoldsTheMatricesInOneForm) {
  const auto packed = open(false);
  const auto trained = open(true);
  const bert::ParameterTable& table = packed->parameters().table();
  int64_t elements = 0;
  for (const int index : bert::encoder_matrices(table)) {
    EXPECT_THROW(packed->parameters().weight(index), LogicError) << table[index].name;
    elements += table[index].size();
  }
  const int64_t held = packed->parameters().encoder_products()->flat().size_bytes();
  EXPECT_GE(held, elements * size_of(GetParam()));
  // A model that is trained has them in f32, and in bf16 beside it where it computes in bf16.
  const int64_t trained_bytes = GetParam() == DType::kF32 ? 4 : 4 + 2;
  EXPECT_LE(packed->parameters().weight_bytes() - held,
            trained->parameters().weight_bytes() - elements * trained_bytes);
}

TEST_P(PackedModel, GivesBackWhatWasWritten) {
  const bert::Config config = odd_config();
  const bert::Heads heads = {.question_answering = true};
  bert::ParameterStore packed(device_, config, heads, GetParam(), false);
  bert::ParameterStore trained(device_, config, heads, GetParam(), true);
  packed.initialise(bert::InitStyle::kBert, config, 3);
  trained.initialise(bert::InitStyle::kBert, config, 3);
  const bert::ParameterTable& table = packed.table();
  for (int index = 0; index < static_cast<int>(table.parameters().size()); ++index) {
    std::vector<float> a(static_cast<size_t>(table[index].size()));
    std::vector<float> b(a.size());
    packed.read(index, a.data());
    trained.read(index, b.data());
    if (packed.encoder_products()->holds(index) && GetParam() == DType::kBF16) {
      for (float& value : b) value = static_cast<float>(BFloat16(value));
    }
    EXPECT_EQ(a, b) << table[index].name;
  }
  const bert::LayerIndices& layer = table.indices().layers[0];
  EXPECT_EQ(packed.qkv_bias(layer).offset_bytes() % kAlignmentBytes, 0);
}

INSTANTIATE_TEST_SUITE_P(DTypes, PackedModel, testing::Values(DType::kF32, DType::kBF16),
                         [](const auto& model) { return std::string(name_of(model.param)); });

}  // namespace
}  // namespace bertha::infer
