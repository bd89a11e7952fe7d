// Weights out and in again: names, types, the vocabulary's padding, each format.

#include "bert/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "core/error.h"
#include "core/philox.h"
#include "io/atomic_file.h"
#include "io/weights/onnx_writer.h"
#include "io/weights/safetensors.h"
#include "support/files.h"

namespace bertha::bert {
namespace {

using test::TemporaryFolder;

constexpr Heads kPretraining = {.language_model = true, .next_sentence = true};

Config tiny() {
  return {.vocab_size = 19,
          .hidden_size = 8,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 12,
          .max_position_embeddings = 16};
}

/// A model of random values that every type holds exactly: multiples of 1/64 in 8 bits.
class RandomModel {
 public:
  explicit RandomModel(Heads heads, ModelClass model, DType dtype = DType::kF32,
                       const Config& config = tiny())
      : table_(config.padded(), heads),
        model_{.config = config,
               .table = &table_,
               .model = model,
               .dtype = dtype,
               .head = {.architecture = architecture(model, config)},
               .read = {}} {
    model_.read = [this](int index, float* to) {
      const std::vector<float> from = values(index);
      std::copy(from.begin(), from.end(), to);
    };
  }

  const ParameterTable& table() const { return table_; }
  const ExportModel& model() const { return model_; }
  std::vector<float> values(int index) const {
    PhiloxStream random(3, static_cast<uint64_t>(index));
    std::vector<float> values(static_cast<size_t>(table_[index].size()));
    for (float& value : values) value = static_cast<float>(random.below(255)) / 64 - 2;
    // The padding of the vocabulary is zero.
    if (table_.has_vocabulary_rows(index)) {
      const auto rows = static_cast<size_t>(tiny().vocab_size);
      const size_t row = values.size() / static_cast<size_t>(table_[index].shape[0]);
      std::fill(values.begin() + static_cast<int64_t>(rows * row), values.end(), 0.0F);
    }
    return values;
  }
  /// Every parameter of the file is what it was.
  void expect_same(const std::string& path) const {
    const WeightFile file(path);
    const ParameterTable found_table(model_.config.padded(), file.heads());
    const ExportModel read = export_model(file, found_table, model_.config, {.head = model_.head});
    EXPECT_EQ(read.model, model_.model);
    for (int i = 0; i < static_cast<int>(table_.parameters().size()); ++i) {
      if (table_[i].absent) continue;
      if (!file.has(table_[i].name)) {
        EXPECT_FALSE(export_name(table_[i].name, model_.model, model_.config)) << table_[i].name;
        continue;
      }
      std::vector<float> found(static_cast<size_t>(table_[i].size()));
      file.read(table_[i], found.data());
      EXPECT_TRUE(found == values(i)) << table_[i].name;
    }
  }

 private:
  ParameterTable table_;
  ExportModel model_;
};

TEST(ExportName, IsHuggingFaces) {
  const auto name = [](const char* parameter, ModelClass model) {
    return export_name(parameter, model).value_or("none");
  };
  EXPECT_EQ(name("bert.encoder.layer.3.intermediate.dense_act.weight", ModelClass::kPretraining),
            "bert.encoder.layer.3.intermediate.dense.weight");
  EXPECT_EQ(name("bert.embeddings.LayerNorm.bias", ModelClass::kEncoder),
            "embeddings.LayerNorm.bias");
  EXPECT_EQ(name("bert.pooler.dense_act.bias", ModelClass::kQuestionAnswering), "none");
  EXPECT_EQ(name("bert.pooler.dense_act.bias", ModelClass::kEncoder), "pooler.dense.bias");
  EXPECT_EQ(name("cls.predictions.transform.dense_act.bias", ModelClass::kMaskedLanguageModel),
            "cls.predictions.transform.dense.bias");
  EXPECT_EQ(name("cls.seq_relationship.bias", ModelClass::kMaskedLanguageModel), "none");
}

TEST(MapName, KnowsGooglesHeads) {
  EXPECT_EQ(map_name("cls/squad/output_weights")->name, "qa_outputs.weight");
  EXPECT_EQ(map_name("output_bias")->name, "classifier.bias");
  EXPECT_EQ(map_name("cls/seq_relationship/output_weights")->name, "cls.seq_relationship.weight");
  EXPECT_FALSE(map_name("bert/embeddings/LayerNorm/beta/adam_m"));
}

std::string text_of(const std::string& path) {
  return std::string(io::MappedFile(path).text());
}

/// The outputs of a class in ONNX.
std::vector<std::string> outputs_of(ModelClass model) {
  switch (model) {
    case ModelClass::kEncoder:
      return {"last_hidden_state"};
    case ModelClass::kPretraining:
      return {"logits", "seq_relationship_logits"};
    case ModelClass::kQuestionAnswering:
      return {"start_logits", "end_logits"};
    default:
      return {"logits"};
  }
}

Config of_type(const std::string& model_type) {
  Config config = tiny();
  config.model_type = model_type;
  if (config.family() == ModelFamily::kRoberta) config.position_offset = 2;
  if (config.family() == ModelFamily::kDistilBert) config.type_vocab_size = 1;
  return config;
}

Heads heads_of(ModelClass model) {
  const bool pretraining = model == ModelClass::kPretraining;
  return {
      .pooler = has_pooler(model),
      .language_model = pretraining || model == ModelClass::kMaskedLanguageModel,
      .next_sentence = pretraining || model == ModelClass::kNextSentence,
      .question_answering = model == ModelClass::kQuestionAnswering,
      .classes = model == ModelClass::kMultipleChoice ? 1
                 : model == ModelClass::kClassification || model == ModelClass::kTokenClassification
                     ? 3
                     : 0};
}

/// Each class of model in each type of model and of numbers.
class EveryModel : public testing::TestWithParam<std::tuple<ModelClass, const char*, DType>> {};

TEST_P(EveryModel, ComesBackBitEqual) {
  const auto [model, type, dtype] = GetParam();
  const Config config = of_type(type);
  const RandomModel random(heads_of(model), model, dtype, config);
  const TemporaryFolder folder;
  write_recipe_weights(folder.file("ckpt_1.pt"), random.model());
  random.expect_same(folder.file("ckpt_1.pt"));
  const std::string hub = folder.file("hf");
  std::filesystem::create_directory(hub);
  write_hugging_face(hub, random.model());
  random.expect_same(hub);
  const ConfigFile said = load_config_file(hub + "/config.json");
  EXPECT_EQ(said.config, config);
  EXPECT_EQ(said.head.architecture, random.model().head.architecture);
  EXPECT_EQ(said.note, "");
  EXPECT_EQ(WeightFile(hub).vocabulary_rows(), tiny().vocab_size);
  EXPECT_EQ(WeightFile(folder.file("ckpt_1.pt")).vocabulary_rows(), tiny().padded().vocab_size);
  EXPECT_EQ(WeightFile(hub).dtype(), dtype);
  write_onnx(folder.file("a.onnx"), random.model());
  const std::string onnx = text_of(folder.file("a.onnx"));
  for (const std::string& name : outputs_of(model)) {
    EXPECT_NE(onnx.find(name), std::string::npos) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Bert, EveryModel,
    testing::Combine(testing::Values(ModelClass::kEncoder, ModelClass::kPretraining,
                                     ModelClass::kMaskedLanguageModel, ModelClass::kNextSentence,
                                     ModelClass::kQuestionAnswering, ModelClass::kClassification,
                                     ModelClass::kTokenClassification, ModelClass::kMultipleChoice),
                     testing::Values("bert"),
                     testing::Values(DType::kF32, DType::kF16, DType::kBF16)));
INSTANTIATE_TEST_SUITE_P(
    OtherTypes, EveryModel,
    testing::Combine(testing::Values(ModelClass::kEncoder, ModelClass::kMaskedLanguageModel,
                                     ModelClass::kQuestionAnswering, ModelClass::kClassification,
                                     ModelClass::kTokenClassification, ModelClass::kMultipleChoice),
                     testing::Values("roberta", "xlm-roberta", "distilbert"),
                     testing::Values(DType::kF32)));

TEST(Export, DecoderOfItsOwnIsKept) {
  Config config = tiny();
  config.tie_word_embeddings = false;
  const RandomModel random({.pooler = false, .language_model = true},
                           ModelClass::kMaskedLanguageModel, DType::kF32, config);
  ASSERT_NE(random.table().indices().decoder, random.table().indices().word);
  const TemporaryFolder folder;
  write_recipe_weights(folder.file("ckpt_1.pt"), random.model());
  random.expect_same(folder.file("ckpt_1.pt"));
  std::filesystem::create_directory(folder.file("hf"));
  write_hugging_face(folder.file("hf"), random.model());
  random.expect_same(folder.file("hf"));
  EXPECT_EQ(load_config(folder.file("hf/config.json")), config);
}

TEST(Export, ConfigKeepsLabelsAndTask) {
  RandomModel random({.classes = 3}, ModelClass::kClassification);
  ExportModel model = random.model();
  model.head = {.labels = {"no", "yes", "maybe"},
                .problem_type = "multi_label_classification",
                .finetuning_task = "mnli"};
  const TemporaryFolder folder;
  write_hugging_face(folder.path(), model);
  HeadConfig expected = model.head;
  expected.architecture = "BertForSequenceClassification";
  EXPECT_EQ(load_config_file(folder.file("config.json")).head, expected);
}

TEST(ModelClassOf, ClassifierIsWhatTheArchitectureSays) {
  const TemporaryFolder folder;
  const RandomModel random({.classes = 1}, ModelClass::kMultipleChoice);
  write_recipe_weights(folder.file("a.pt"), random.model());
  const WeightFile file(folder.file("a.pt"));
  EXPECT_EQ(model_class_of(file), ModelClass::kClassification);
  EXPECT_EQ(model_class_of(file, "BertForMultipleChoice"), ModelClass::kMultipleChoice);
  EXPECT_EQ(model_class_of(file, "BertForMaskedLM"), ModelClass::kClassification);
}

TEST(WeightFile, NamesOfAnotherFamilyThanTheConfigsAreRefused) {
  const TemporaryFolder folder;
  const RandomModel random({.question_answering = true}, ModelClass::kQuestionAnswering,
                           DType::kF32, of_type("roberta"));
  write_hugging_face(folder.path(), random.model());
  const WeightFile file(folder.path());
  EXPECT_NO_THROW(file.check_family(of_type("roberta")));
  EXPECT_THROW(file.check_family(of_type("bert")), Error);
  EXPECT_THROW(file.check_family(of_type("distilbert")), Error);
}

TEST(Export, RefusesWhatHalfPrecisionCannotHold) {
  RandomModel random(kPretraining, ModelClass::kPretraining, DType::kF16);
  ExportModel model = random.model();
  model.read = [&](int index, float* to) {
    std::fill_n(to, random.table()[index].size(), 70000.0F);
  };
  const TemporaryFolder folder;
  EXPECT_THROW(write_recipe_weights(folder.file("a.pt"), model), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.file("a.pt")));
}

TEST(Export, NamesWhatAFileLacks) {
  const RandomModel random({.pooler = true}, ModelClass::kEncoder);
  const TemporaryFolder folder;
  std::vector<io::NamedSource> tensors;
  for (const char* name :
       {"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"}) {
    const int64_t rows = name[1] == 'm' ? tiny().vocab_size : tiny().hidden_size;
    tensors.push_back(
        {name, DType::kF32, {rows, tiny().hidden_size}, [rows](const io::ByteSink& sink) {
           sink(std::vector<std::byte>(static_cast<size_t>(4 * rows * 8)));
         }});
  }
  io::write_safetensors(folder.file("a.safetensors"), tensors);
  const WeightFile file(folder.file("a.safetensors"));
  try {
    export_model(file, random.table(), tiny(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("bert.encoder.layer.1.output.dense.weight"),
              std::string::npos)
        << error.what();
  }
}

TEST(Export, ModelThatComputesWithoutItsPoolerIsRejectedWithTheFilesName) {
  const RandomModel random({.pooler = false, .language_model = true, .next_sentence = true},
                           ModelClass::kPretraining);
  const TemporaryFolder folder;
  write_recipe_weights(folder.file("ckpt_1.pt"), random.model());
  const WeightFile file(folder.file("ckpt_1.pt"));
  const ParameterTable table(tiny().padded(), file.heads());
  try {
    export_model(file, table, tiny(), {.computes = true});
    FAIL() << "taken without a pooler";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find(folder.file("ckpt_1.pt")), 0U) << message;
    EXPECT_NE(message.find("bert.pooler.dense.weight"), std::string::npos) << message;
  }
}

TEST(Onnx, HoldsEveryWeightOnceTransposed) {
  const RandomModel random({.pooler = false, .question_answering = true},
                           ModelClass::kQuestionAnswering);
  const TemporaryFolder folder;
  write_onnx(folder.file("a.onnx"), random.model());
  const std::string file = text_of(folder.file("a.onnx"));
  const int index = random.table().indices().layers[1].down_weight;  // [8, 12]
  const std::vector<float> stored = random.values(index);
  std::vector<float> transposed(stored.size());
  transpose(stored, 12, 8, transposed.data());
  const std::string bytes(reinterpret_cast<const char*>(transposed.data()), 4 * transposed.size());
  const size_t at = file.find(bytes);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(file.find(bytes, at + 1), std::string::npos);
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids", "start_logits",
                           "end_logits", "LayerNormalization", "Softmax", "Erf"}) {
    EXPECT_NE(file.find(name), std::string::npos) << name;
  }
}

TEST(Onnx, LargeWeightsLieBesideTheModel) {
  const TemporaryFolder folder;
  io::OnnxGraph graph("g");
  const std::vector<float> first = {1, 2, 3};
  const std::vector<float> second = {4, 5};
  const auto source = [](const std::vector<float>& values) {
    return [&values](const io::ByteSink& sink) { sink(std::as_bytes(std::span(values))); };
  };
  graph.weight("a", DType::kF32, {3}, source(first));
  graph.weight("b", DType::kF32, {2}, source(second));
  graph.save(folder.file("m.onnx"), 17, 8);
  const std::string data = text_of(folder.file("m.onnx.data"));
  ASSERT_EQ(data.size(), 8192U);
  EXPECT_EQ(data.substr(4096, 8), std::string(reinterpret_cast<const char*>(second.data()), 8));
  const std::string model = text_of(folder.file("m.onnx"));
  for (const char* part : {"m.onnx.data", "location", "offset", "4096"}) {
    EXPECT_NE(model.find(part), std::string::npos) << part;
  }
}

TEST(Half, EveryValueComesBackAndTiesGoToEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = io::half_to_float(half);
    if (value != value) continue;  // NaN
    ASSERT_EQ(io::float_to_half(value), half);
    const uint32_t magnitude = bits & 0x7fffU;
    if (magnitude >= 0x7bffU) continue;
    const float next = io::half_to_float(static_cast<uint16_t>(half + 1));
    const auto middle =
        static_cast<float>((static_cast<double>(value) + static_cast<double>(next)) / 2);
    ASSERT_EQ(io::float_to_half(middle), half + (half & 1U)) << value;
  }
  EXPECT_EQ(io::float_to_half(65519.0F), 0x7bff);
  EXPECT_EQ(io::float_to_half(65520.0F), 0x7c00);
}

}  // namespace
}  // namespace bertha::bert
