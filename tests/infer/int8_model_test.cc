// Models whose encoders multiply 8-bit integers: close to fp32 in every task, equal however they
// are run and stored, and refused where they cannot be.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bert/int8_parameters.h"
#include "bert/recording_device.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "infer/answer.h"
#include "infer/classify.h"
#include "infer/embed.h"
#include "infer/fill.h"
#include "infer/quantization_report.h"
#include "infer/tag.h"
#include "infer/tiny_models.h"
#include "io/weights/safetensors.h"

namespace bertha::infer {
namespace {

constexpr Arithmetic kInt8 = {.products = bert::Products::kInt8};
const std::string kHill = "the red house stands on the hill";
const std::string kRiver = "over the river the house is red";

/// Cosine of the angle between two vectors.
double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  const auto dot = [](const std::vector<float>& x, const std::vector<float>& y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class Int8Model : public testing::Test {
 protected:
  std::string write(const bert::Heads& heads, bert::ModelClass model) {
    std::string folder = folder_.file("m" + std::to_string(++count_));
    test::write_tiny_model(folder, heads, model);
    return folder;
  }
  std::string write_encoder() { return write({}, bert::ModelClass::kEncoder); }

  std::unique_ptr<Model> open(const std::string& folder, const Arithmetic& arithmetic,
                              OpenOptions options = {}) {
    options.arithmetic = arithmetic;
    return Model::open({.weights = folder}, device_, options);
  }

  /// The same model with 8-bit integers in its files.
  std::string quantized(const std::string& folder) {
    std::string to = folder_.file("q" + std::to_string(++count_));
    std::filesystem::create_directories(to);
    const ModelFiles files = {.weights = folder};
    const bert::WeightFile file(folder);
    const bert::ConfigFile said = read_config_file(files);
    const bert::ParameterTable table(said.config.padded(), file.heads());
    bert::write_hugging_face(
        to, bert::export_model(file, table, said.config, {.head = said.head, .int8 = true}));
    std::filesystem::copy_file(test::tiny_vocabulary(), to + "/vocab.txt");
    return to;
  }

  /// The last layer of two texts.
  std::vector<float> hidden(const Model& model) {
    EmbedSettings settings = embed_settings(model.definition(), std::nullopt);
    settings.all_tokens = true;
    EmbedTask task(model, settings);
    const std::vector<EmbedRequest> requests = {{.text = kHill}, {.text = kRiver}};
    std::vector<float> all;
    for (const EmbedResult& result : task.run(requests)) {
      all.insert(all.end(), result.vector.begin(), result.vector.end());
    }
    return all;
  }
  std::vector<float> hidden(const std::string& folder, const Arithmetic& arithmetic) {
    return hidden(*open(folder, arithmetic));
  }

  cpu::CpuDevice device_;
  test::TemporaryFolder folder_;
  int count_ = 0;
};

/// Equal to within 2 %, and not equal: the products did run on integers.
void expect_close(const std::vector<double>& exact, const std::vector<double>& rounded) {
  ASSERT_EQ(exact.size(), rounded.size());
  ASSERT_FALSE(exact.empty());
  for (size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(rounded[i], exact[i], 0.02 * exact[i]) << i;
  EXPECT_NE(exact, rounded);
}

TEST_F(Int8Model, HiddenStatesAreCloseToThoseOfFp32) {
  const std::string folder = write_encoder();
  const std::vector<float> exact = hidden(folder, {});
  const std::vector<float> rounded = hidden(folder, kInt8);
  EXPECT_GT(cosine(exact, rounded), 0.9999);
  EXPECT_NE(exact, rounded);
}

TEST_F(Int8Model, HiddenStatesOfBf16AreCloseToThoseOfFp32) {
  if (!device_.has_bf16()) GTEST_SKIP() << "no bf16 here";
  const std::string folder = write_encoder();
  const std::vector<float> exact = hidden(folder, {});
  const Arithmetic arithmetic = {.compute = DType::kBF16, .products = bert::Products::kInt8};
  EXPECT_GT(cosine(exact, hidden(folder, arithmetic)), 0.999);
}

TEST_F(Int8Model, AnswersAreCloseToThoseOfFp32) {
  const std::string folder =
      write({.question_answering = true}, bert::ModelClass::kQuestionAnswering);
  const auto probabilities = [&](const Arithmetic& arithmetic) {
    const auto model = open(folder, arithmetic, {.purpose = Purpose::kAnswer});
    AnswerTask task(*model, AnswerSettings().fitted_to(model->config()));
    const AnswerRequest request = {.question = "where is the house?", .passage = kHill};
    std::vector<double> all;
    const AnswerResult result = task.run({&request, 1}).at(0);
    for (const Answer& answer : result.best) all.push_back(answer.probability);
    return all;
  };
  expect_close(probabilities({}), probabilities(kInt8));
}

TEST_F(Int8Model, WordsAreCloseToThoseOfFp32) {
  const std::string folder =
      write(bert::Heads::for_pretraining(), bert::ModelClass::kMaskedLanguageModel);
  const auto probabilities = [&](const Arithmetic& arithmetic) {
    const auto model = open(folder, arithmetic, {.purpose = Purpose::kFill});
    FillTask task(*model);
    const int64_t all_pieces = model->definition().vocabulary().size();
    const FillRequest request = {.text = "the [MASK] house", .top = all_pieces};
    std::vector<double> all(static_cast<size_t>(all_pieces));
    const FillResult result = task.run({&request, 1}).at(0);
    for (const FillCandidate& one : result.masks.at(0)) {
      all[static_cast<size_t>(one.id)] = one.probability;
    }
    return all;
  };
  expect_close(probabilities({}), probabilities(kInt8));
}

TEST_F(Int8Model, ClassesAreCloseToThoseOfFp32) {
  const std::string folder = write({.classes = 3}, bert::ModelClass::kClassification);
  const auto probabilities = [&](const Arithmetic& arithmetic) {
    const auto model = open(folder, arithmetic, {.purpose = Purpose::kClassify, .classes = 3});
    ClassifyTask task(*model, {.max_tokens = 32});
    const ClassifyRequest request = {.text = kHill};
    return task.run({&request, 1}).at(0).probabilities;
  };
  expect_close(probabilities({}), probabilities(kInt8));
}

TEST_F(Int8Model, TagsAreCloseToThoseOfFp32) {
  const std::string folder =
      write({.pooler = false, .classes = 4}, bert::ModelClass::kTokenClassification);
  const auto probabilities = [&](const Arithmetic& arithmetic) {
    const auto model = open(folder, arithmetic, {.purpose = Purpose::kTag, .classes = 4});
    TagTask task(*model, {.max_tokens = 32});
    const std::vector<std::string> house = {"the", "red", "house"};
    const tasks::WordTokens words = tasks::tokens_of_words(house, model->tokenizer());
    return task.run({&words, 1}).at(0).probabilities;
  };
  expect_close(probabilities({}), probabilities(kInt8));
}

TEST_F(Int8Model, ResultsAreEqualOnEveryNumberOfThreadsAndEveryLane) {
  const std::string folder = write_encoder();
  const std::vector<float> expected = hidden(folder, kInt8);
  for (const int64_t count : {1, 2, 3}) {
    ThreadPool pool(count);
    const PoolBinding binding(pool);
    EXPECT_EQ(hidden(folder, kInt8), expected) << count << " threads";
  }
}

TEST_F(Int8Model, FilesOfIntegersGiveTheBitsOfTheWeightsThatTheyWereMadeOf) {
  const std::string folder = write_encoder();
  const std::string made = quantized(folder);
  EXPECT_TRUE(bert::WeightFile(made).has_int8());
  EXPECT_TRUE(read_config_file({.weights = made}).int8_weights);
  EXPECT_EQ(hidden(made, kInt8), hidden(folder, kInt8));
}

TEST_F(Int8Model, FilesOfIntegersAreWrittenAgainWithEqualBytes) {
  const std::string made = quantized(write_encoder());
  const std::string again = quantized(made);
  for (const char* name : {"/model.safetensors", "/config.json"}) {
    EXPECT_EQ(test::read_all(made + name), test::read_all(again + name)) << name;
  }
}

TEST_F(Int8Model, FilesOfIntegersComputeInFp32AsScaleTimesInteger) {
  const std::string folder = write_encoder();
  const auto wide = open(quantized(folder), {});
  const auto narrow = open(folder, kInt8);
  for (const int index : bert::encoder_matrices(wide->parameters().table())) {
    std::vector<float> a(static_cast<size_t>(wide->parameters().table()[index].size()));
    std::vector<float> b(a.size());
    wide->parameters().read(index, a.data());
    narrow->parameters().read(index, b.data());
    EXPECT_EQ(a, b) << wide->parameters().table()[index].name;
  }
}

TEST_F(Int8Model, WeightsOfTheEncoderTakeAQuarterOfTheirMemory) {
  const bert::Config config = {.vocab_size = 64,
                               .hidden_size = 256,
                               .num_hidden_layers = 3,
                               .num_attention_heads = 4,
                               .intermediate_size = 1024,
                               .max_position_embeddings = 32};
  const bert::Heads heads = {.pooler = false};
  const bert::ParameterStore wide(device_, config, heads, DType::kF32, true);
  const bert::ParameterStore narrow(device_, config, heads, DType::kF32, false,
                                    bert::Products::kInt8);
  int64_t elements = 0;
  int64_t channels = 0;
  for (const int index : bert::encoder_matrices(wide.table())) {
    elements += wide.table()[index].size();
    channels += wide.table()[index].shape[0];
  }
  // A byte for each element; a scale and a sum for each channel.
  EXPECT_EQ(narrow.int8()->flat().size_bytes(), elements + 8 * channels);
  EXPECT_EQ(narrow.weight_bytes(), wide.weight_bytes() - 3 * elements + 8 * channels);
}

TEST_F(Int8Model, WideParametersKeepTheirValuesAndTheirAlignment) {
  const std::string folder = write_encoder();
  const auto wide = open(folder, {});
  const auto narrow = open(folder, kInt8);
  const bert::ParameterTable& table = narrow->parameters().table();
  for (int index = 0; index < static_cast<int>(table.parameters().size()); ++index) {
    if (narrow->parameters().int8()->holds(index)) {
      EXPECT_THROW(narrow->parameters().weight(index), LogicError) << table[index].name;
      continue;
    }
    std::vector<float> a(static_cast<size_t>(table[index].size()));
    std::vector<float> b(a.size());
    wide->parameters().read(index, a.data());
    narrow->parameters().read(index, b.data());
    EXPECT_EQ(a, b) << table[index].name;
  }
  const bert::LayerIndices& layer = table.indices().layers[0];
  EXPECT_EQ(narrow->parameters().qkv_bias(layer).offset_bytes() % kAlignmentBytes, 0);
}

TEST_F(Int8Model, ProcessorWithoutAKernelIsNamed) {
  const std::string folder = write_encoder();
  cpu::CpuDevice device;
  device.set_kernels(std::make_shared<test::RecordingKernels>());  // they compute in f32 alone
  const Arithmetic arithmetic = {.compute = DType::kBF16, .products = bert::Products::kInt8};
  const std::string message =
      message_of([&] { Model::open({.weights = folder}, device, {.arithmetic = arithmetic}); });
  EXPECT_NE(message.find(device.description() + " has no kernel"), std::string::npos) << message;
}

TEST_F(Int8Model, SizesThatTheKernelsDoNotTakeAreNamed) {
  bert::Config config = test::tiny_config().padded();
  config.hidden_size = 40;
  const std::string message = message_of([&] {
    bert::ParameterStore(device_, config, {}, DType::kF32, false, bert::Products::kInt8);
  });
  EXPECT_NE(message.find("query.weight is [40, 40]"), std::string::npos) << message;
}

TEST_F(Int8Model, TrainingIsADefect) {
  EXPECT_THROW(bert::ParameterStore(device_, test::tiny_config().padded(), {}, DType::kF32, true,
                                    bert::Products::kInt8),
               LogicError);
}

/// One tensor of a file: its bytes as they are to be.
struct Change {
  DType dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};

/// The files of a model with some tensors changed, or added.
class ChangedInt8Files : public Int8Model {
 protected:
  /// What opening the changed files says; empty: nothing.
  std::string opening(const std::map<std::string, Change>& changes,
                      const Arithmetic& arithmetic = kInt8) {
    change(changes);
    return message_of([&] { open(made_, arithmetic); });
  }

  void change(const std::map<std::string, Change>& changes) {
    const std::string path = made_ + "/model.safetensors";
    std::vector<io::NamedSource> tensors;
    const io::SafetensorsFile file(path);
    std::map<std::string, Change> all;
    for (const auto& entry : file.entries()) {
      const auto bytes = file.tensor(entry).bytes;
      all[entry.name] = {
          entry.dtype, entry.shape, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
    }
    for (const auto& [name, one] : changes) all[name] = one;
    tensors.reserve(all.size());
    for (const auto& [name, one] : all) {
      tensors.push_back({name, one.dtype, one.shape, [&bytes = one.bytes](const io::ByteSink& to) {
                           to(std::as_bytes(std::span(bytes)));
                         }});
    }
    io::write_safetensors(path, tensors);
  }

  static std::string floats(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }

  const std::string query_ = "encoder.layer.0.attention.self.query.weight";
  std::string made_ = quantized(write_encoder());
};

TEST_F(ChangedInt8Files, AllIntegersAndOneScaleForAllChannelsAreRead) {
  std::string integers(32 * 32, '\0');
  for (size_t i = 0; i < integers.size(); ++i) integers[i] = static_cast<char>(i);  // -128 too
  change({{query_, {DType::kI8, {32, 32}, integers}},
          {query_ + "_scale", {DType::kF32, {1}, floats({0.5F})}}});
  const auto model = open(made_, kInt8);
  std::vector<float> values(32 * 32);
  model->parameters().read(model->parameters().table().indices().layers[0].query_weight,
                           values.data());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], 0.5F * static_cast<float>(static_cast<int8_t>(integers[i]))) << i;
  }
}

TEST_F(ChangedInt8Files, ScalesOfAnotherShapeAreRefused) {
  const std::string message =
      opening({{query_ + "_scale", {DType::kF32, {32, 2}, floats(std::vector<float>(64, 1))}}});
  EXPECT_NE(message.find("query.weight_scale is f32 [32, 2], expected one scale"),
            std::string::npos)
      << message;
}

TEST_F(ChangedInt8Files, ScalesThatAreIntegersAreRefused) {
  const std::string message =
      opening({{query_ + "_scale", {DType::kI8, {32, 1}, std::string(32, '\1')}}});
  EXPECT_NE(message.find("query.weight_scale is i8"), std::string::npos) << message;
}

TEST_F(ChangedInt8Files, ScalesThatAreNotFiniteAreRefused) {
  std::vector<float> scales(32, 1);
  scales[7] = std::numeric_limits<float>::infinity();
  const std::map<std::string, Change> changes = {
      {query_ + "_scale", {DType::kF32, {32, 1}, floats(scales)}}};
  EXPECT_NE(opening(changes).find("query.weight_scale has NaN or infinite"), std::string::npos);
  EXPECT_NE(opening(changes, {}).find("query.weight_scale has NaN"), std::string::npos);
}

TEST_F(ChangedInt8Files, ZeroPointsOfWeightsAreRefused) {
  const std::string message =
      opening({{query_ + "_zero_point", {DType::kI8, {32, 1}, std::string(32, '\1')}}});
  EXPECT_NE(message.find("query.weight_zero_point"), std::string::npos) << message;
}

TEST_F(ChangedInt8Files, TablesOfIntegersAreRefusedWithoutScales) {
  const std::string message = opening(
      {{"embeddings.token_type_embeddings.weight", {DType::kI8, {2, 32}, std::string(64, '\1')}}});
  EXPECT_NE(message.find("no weights without the scales"), std::string::npos) << message;
}

TEST_F(ChangedInt8Files, WeightsThatAreNotFiniteAreNamed) {
  std::vector<float> weights(32 * 32, 0.1F);
  weights[40] = std::numeric_limits<float>::quiet_NaN();
  const std::string message = opening({{query_, {DType::kF32, {32, 32}, floats(weights)}}});
  EXPECT_NE(message.find("query.weight has NaN or infinite"), std::string::npos) << message;
}

TEST_F(Int8Model, ErrorsOfProductsAreThoseOfTheirIntegers) {
  const std::string folder = write_encoder();
  const auto model = open(folder, {});
  const std::vector<ProductError> errors = quantization_errors(*model, quantization_texts());
  ASSERT_EQ(errors.size(), 4U);
  EXPECT_EQ(errors[3].name, "bert.encoder.layer.0.output.dense.weight");
  for (const ProductError& error : errors) {
    SCOPED_TRACE(error.name);
    // A step is 1/127 of the largest weight of a row, about 3 standard deviations, and the error
    // is uniform in a step: about 3 / 127 / √12.
    EXPECT_NEAR(error.weight, 0.007, 0.003);
    EXPECT_GT(error.result, 0.002);
    EXPECT_LT(error.result, 0.03);
  }
}

TEST_F(Int8Model, WeightsThatWereIntegersHaveNoErrorOfTheirOwn) {
  const auto model = open(quantized(write_encoder()), {});
  for (const ProductError& error : quantization_errors(*model, quantization_texts())) {
    EXPECT_LT(error.weight, 1e-6) << error.name;
    EXPECT_GT(error.result, 0.001) << error.name;
  }
}

}  // namespace
}  // namespace bertha::infer
