// Weight files in the wrappings of trainers (fixtures/make_layouts.py).

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "bert/weights.h"
#include "core/error.h"
#include "io/weights/safetensors.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::bert {
namespace {

std::string layout(const std::string& name) {
  return test::tests_path("bert/fixtures/layouts/" + name);
}

Config tiny_config() {
  return {.vocab_size = 8,
          .hidden_size = 4,
          .num_hidden_layers = 1,
          .num_attention_heads = 2,
          .intermediate_size = 8,
          .max_position_embeddings = 8};
}

/// The values of all parameters that a file has.
std::map<std::string, std::vector<float>> parameters_of(const std::string& path) {
  const WeightFile file(path);
  const ParameterTable table(tiny_config(), file.heads());
  file.check(table);
  EXPECT_TRUE(file.unused(table).empty()) << path;
  std::map<std::string, std::vector<float>> values;
  for (const Parameter& parameter : table.parameters()) {
    if (!file.has(parameter.name)) continue;
    auto& read = values[parameter.name];
    read.resize(static_cast<size_t>(parameter.size()));
    file.read(parameter, read.data());
  }
  return values;
}

std::string error_of(const std::string& path) {
  try {
    parameters_of(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(WeightFile, WrappedStateDictsHoldTheSameParameters) {
  const auto expected = parameters_of(layout("base.pt"));
  EXPECT_EQ(expected.size(), 25U);
  for (const char* name :
       {"bare.pt", "lightning.ckpt", "lightning_bare.ckpt", "torch_compile.pt",
        "compiled_data_parallel.pt", "data_parallel_compiled.pt", "compiled_layers.pt", "fsdp.pt",
        "data_parallel.pt", "deepspeed.pt", "deepspeed_module.pt", "net.pt", "ema.pt",
        "ema_within.pt", "trained_and_averaged.pt", "module.safetensors", "prefix.safetensors"}) {
    EXPECT_EQ(parameters_of(layout(name)), expected) << name;
  }
}

TEST(WeightFile, TrainedWeightsWinOverAveragedOnes) {
  // Both encoders are in one dict, so the averaged tensors are left over.
  const WeightFile file(layout("averaged_names.pt"));
  const ParameterTable table(tiny_config(), file.heads());
  EXPECT_EQ(file.unused(table).size(), 25U);
  const int word = table.find("bert.embeddings.word_embeddings.weight");
  std::vector<float> values(static_cast<size_t>(table[word].size()));
  file.read(table[word], values.data());
  EXPECT_EQ(values, parameters_of(layout("base.pt")).at(table[word].name));
}

TEST(WeightFile, LossBesideTheStateDictIsNoParameter) {
  EXPECT_EQ(parameters_of(layout("model_state_dict.pt")), parameters_of(layout("base.pt")));
}

TEST(WeightFile, WhatIsNoEncoderIsNamedWithTheNamesFound) {
  const std::map<std::string, std::string> reasons = {
      {"refused_two_encoders.pt", "several encoders, under passage., question."},
      {"refused_other_model.pt", "it has 25 tensors: electra.embeddings.*, electra.encoder.*"},
      {"refused_no_weights.pt", "its keys are \"epoch\" (the integer 3), \"model\" (a list)"},
      {"refused_zero3.pt", "word_embeddings.weight is empty, as DeepSpeed's ZeRO leaves it"},
      {"refused_int8.pt", "holds i8, which are no weights without the scales"}};
  for (const auto& [name, reason] : reasons) {
    EXPECT_NE(error_of(layout(name)).find(reason), std::string::npos) << error_of(layout(name));
  }
}

TEST(WeightFile, ObjectsOfTensorFlow2AreNamed) {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  const io::ByteSource zero = [](const io::ByteSink& sink) {
    const float value = 0;
    sink(std::as_bytes(std::span(&value, 1)));
  };
  io::write_safetensors(path,
                        {{"encoder/layer/.ATTRIBUTES/VARIABLE_VALUE", DType::kF32, {1}, zero}});
  EXPECT_NE(error_of(path).find("a checkpoint of TensorFlow 2"), std::string::npos)
      << error_of(path);
}

TEST(WeightFile, PrefixMayHaveAnyNameBeforeTheEncoder) {
  for (const std::string prefix : {"a.", "model.model.", "text_encoder.transformer.",
                                   "0.auto_model.", "backbone.bert_model.", "x_ema_y."}) {
    const test::TemporaryFolder folder;
    const std::string path = folder.file("model.safetensors");
    const auto source = io::open_weights(layout("bare.pt"));
    std::vector<io::NamedSource> tensors;
    for (const io::TensorInfo& info : source->tensors()) {
      tensors.push_back({prefix + info.name, info.dtype, info.shape,
                         [&source, name = info.name](const io::ByteSink& sink) {
                           sink(source->read(name).bytes);
                         }});
    }
    io::write_safetensors(path, tensors);
    EXPECT_EQ(parameters_of(path), parameters_of(layout("base.pt"))) << prefix;
  }
}

}  // namespace
}  // namespace bertha::bert
