#include "bert/export.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <utility>

#include "bert/hub_names.h"
#include "bert/int8_parameters.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/weights/safetensors.h"

namespace bertha::bert {
namespace {

constexpr std::string_view kBert = "bert.";

struct ClassName {
  ModelClass model;
  std::string_view ending;  ///< behind the type's prefix
};
constexpr std::array<ClassName, 8> kClassNames = {
    {{ModelClass::kEncoder, "Model"},
     {ModelClass::kPretraining, "ForPreTraining"},
     {ModelClass::kMaskedLanguageModel, "ForMaskedLM"},
     {ModelClass::kNextSentence, "ForNextSentencePrediction"},
     {ModelClass::kQuestionAnswering, "ForQuestionAnswering"},
     {ModelClass::kClassification, "ForSequenceClassification"},
     {ModelClass::kTokenClassification, "ForTokenClassification"},
     {ModelClass::kMultipleChoice, "ForMultipleChoice"}}};

bool classifies(ModelClass model) {
  return model == ModelClass::kClassification || model == ModelClass::kTokenClassification ||
         model == ModelClass::kMultipleChoice;
}

/// True where models of this class have the parameter, pooler aside.
bool belongs(std::string_view parameter, ModelClass model) {
  if (parameter.starts_with(kBert)) return true;
  if (parameter.starts_with("cls.seq_relationship.")) {
    return model == ModelClass::kPretraining || model == ModelClass::kNextSentence;
  }
  if (parameter.starts_with("cls.")) {
    return model == ModelClass::kPretraining || model == ModelClass::kMaskedLanguageModel;
  }
  if (parameter.starts_with("qa_outputs.")) return model == ModelClass::kQuestionAnswering;
  return classifies(model);
}

/// Outputs of a classifier that have names.
int64_t classes_of(const ExportModel& model) {
  const int index = model.table->indices().classifier_weight;
  if (index < 0 || model.model == ModelClass::kMultipleChoice) return 0;
  return (*model.table)[index].shape[0];
}

ModelClass classifier_of(const WeightFile& file, std::string_view architecture) {
  const std::optional<ModelClass> named = class_named(architecture);
  if (named && classifies(*named)) return *named;
  return file.heads().pooler ? ModelClass::kClassification : ModelClass::kTokenClassification;
}

}  // namespace

std::string architecture(ModelClass model, const Config& config) {
  for (const ClassName& row : kClassNames) {
    if (row.model == model) return std::string(class_prefix(config.model_type)).append(row.ending);
  }
  BERTHA_CHECK(false);
}

std::optional<ModelClass> class_named(std::string_view architecture) {
  for (const ClassName& row : kClassNames) {
    if (architecture.ends_with(row.ending)) return row.model;
  }
  return std::nullopt;
}

bool has_pooler(ModelClass model) {
  return model != ModelClass::kQuestionAnswering && model != ModelClass::kMaskedLanguageModel &&
         model != ModelClass::kTokenClassification;
}

std::optional<std::string> export_name(std::string_view parameter, ModelClass model,
                                       const Config& config) {
  if (!belongs(parameter, model)) return std::nullopt;
  const bool bare_distilbert =
      model == ModelClass::kEncoder && config.family() == ModelFamily::kDistilBert;
  if (parameter.starts_with("bert.pooler.") && (!has_pooler(model) || bare_distilbert)) {
    return std::nullopt;
  }
  std::string name =
      to_hub_name(std::string(parameter), config.family(), model == ModelClass::kClassification);
  constexpr std::string_view kActivated = "dense_act.";
  if (const size_t at = name.find(kActivated); at != std::string::npos) {
    name.replace(at, kActivated.size(), "dense.");
  }
  if (model == ModelClass::kEncoder) name.erase(0, name.find('.') + 1);
  return name;
}

ModelClass model_class_of(const WeightFile& file, std::string_view architecture) {
  const Heads heads = file.heads();
  if (heads.question_answering) return ModelClass::kQuestionAnswering;
  if (heads.classes > 0) return classifier_of(file, architecture);
  if (heads.language_model) {
    return heads.next_sentence ? ModelClass::kPretraining : ModelClass::kMaskedLanguageModel;
  }
  return heads.next_sentence ? ModelClass::kNextSentence : ModelClass::kEncoder;
}

namespace {

/// The integers of the file, or those of its rounded weights.
void quantized_parameter(const WeightFile& file, const Parameter& parameter,
                         const ops::Int8Channels& to) {
  if (file.is_int8(parameter.name)) return file.read_int8(parameter, to);
  std::vector<float> buffer;
  const float* const values = file.values(parameter, buffer);
  const int64_t wrong = ops::quantize_channels(std::span(values, to.integers.size()), to);
  if (wrong >= 0) {
    fail("{}: {} has NaN or infinite elements in row {}, which no 8-bit integer stands for",
         file.source().path(), parameter.name, wrong);
  }
}

}  // namespace

ExportModel export_model(const WeightFile& file, const ParameterTable& table, const Config& config,
                         const ExportRequest& request) {
  file.check_family(config);
  file.check(table);
  const ModelClass model = model_class_of(file, request.head.architecture);
  std::vector<std::string> missing;
  for (const Parameter& parameter : table.parameters()) {
    if (!parameter.absent && belongs(parameter.name, model) && !file.has(parameter.name)) {
      missing.push_back(parameter.name);
    }
  }
  const bool pooler_below = has_pooler(model) && model != ModelClass::kEncoder;
  if (request.computes && pooler_below && table.indices().pooler_weight < 0) {
    missing.emplace_back("the pooler, bert.pooler.dense.weight and its bias");
  }
  if (!missing.empty()) {
    fail("{}: not a whole {}: it lacks {}", file.source().path(), architecture(model, config),
         join(missing, ", "));
  }
  ExportModel result = {.config = config,
                        .table = &table,
                        .model = model,
                        .dtype = request.dtype,
                        .head = request.head,
                        .read = [&file, &table](int index, float* to) {
                          if (table[index].absent) {
                            std::fill_n(to, table[index].size(), 0.0F);
                          } else {
                            file.read(table[index], to);
                          }
                        }};
  if (request.int8) {
    result.read_int8 = [&file, &table](int index, const ops::Int8Channels& to) {
      quantized_parameter(file, table[index], to);
    };
  }
  return result;
}

std::vector<int64_t> detail::export_shape(const ExportModel& model, int index) {
  const Shape& shape = (*model.table)[index].shape;
  std::vector<int64_t> extents(shape.extents().begin(), shape.extents().end());
  if (model.table->has_vocabulary_rows(index)) extents[0] = model.config.vocab_size;
  return extents;
}

namespace {

void refuse_too_large(std::span<const float> values, const std::string& name) {
  constexpr float kFirstTooLarge = 65520;  // rounds to infinity
  for (const float value : values) {
    if (std::isfinite(value) && std::abs(value) >= kFirstTooLarge) {
      fail("{} holds {}, more than fp16 can: use bf16 or fp32", name, value);
    }
  }
}

}  // namespace

io::ByteSource detail::export_bytes(const ExportModel& model, int index, std::vector<int64_t> shape,
                                    Order order) {
  return [&model, index, order, shape = std::move(shape)](const io::ByteSink& sink) {
    const Parameter& parameter = (*model.table)[index];
    std::vector<float> values(static_cast<size_t>(parameter.size()));
    model.read(index, values.data());
    values.resize(static_cast<size_t>(io::element_count(shape)));
    if (order == Order::kTransposed) {
      std::vector<float> transposed(values.size());
      transpose(values, shape[0], shape[1], transposed.data());
      values.swap(transposed);
    }
    if (model.dtype == DType::kF32) return sink(std::as_bytes(std::span(values)));
    if (model.dtype == DType::kF16) refuse_too_large(values, parameter.name);
    std::vector<std::byte> bytes(values.size() * static_cast<size_t>(size_of(model.dtype)));
    io::convert_from_f32(values, model.dtype, bytes);
    sink(bytes);
  };
}

const io::PickleValue& state_dict(io::TorchWriter& writer, const ExportModel& model) {
  io::PickleTree& tree = writer.tree();
  io::PickleValue& dict = tree.ordered_dict();
  const io::PickleValue* word = nullptr;
  ExportModel whole = model;  // keeps the padding
  whole.config.vocab_size = (*model.table)[model.table->indices().word].shape[0];
  const auto shared = std::make_shared<const ExportModel>(std::move(whole));
  const ModelIndices& at = model.table->indices();
  for (int index = 0; index < static_cast<int>(model.table->parameters().size()); ++index) {
    const std::string& name = (*model.table)[index].name;
    if (!belongs(name, model.model)) continue;
    std::vector<int64_t> shape = detail::export_shape(*shared, index);
    const io::PickleValue& tensor =
        writer.tensor(model.dtype, shape,
                      [shared, bytes = detail::export_bytes(*shared, index, shape)](
                          const io::ByteSink& sink) { bytes(sink); });
    tree.set(dict, name, tensor);
    if (index == at.word) word = &tensor;
    if (index == at.transform_beta && at.decoder == at.word) {
      tree.set(dict, "cls.predictions.decoder.weight", *word);
    }
  }
  return dict;
}

void write_recipe_weights(const std::string& path, const ExportModel& model) {
  io::TorchWriter writer;
  io::PickleValue& root = writer.tree().dict();
  writer.tree().set(root, "model", state_dict(writer, model));
  writer.save(path, root);
}

namespace {

enum class Int8Part : uint8_t { kIntegers, kScales };

/// Gives one of the two tensors of a weight of 8-bit integers.
io::ByteSource int8_bytes(const ExportModel& model, int index, Int8Part part) {
  return [&model, index, part](const io::ByteSink& sink) {
    const Parameter& parameter = (*model.table)[index];
    std::vector<int8_t> integers(static_cast<size_t>(parameter.size()));
    std::vector<float> scales(static_cast<size_t>(parameter.shape[0]));
    model.read_int8(index, {.integers = integers, .scales = scales});
    sink(part == Int8Part::kIntegers ? std::as_bytes(std::span(integers))
                                     : std::as_bytes(std::span(scales)));
  };
}

void add_int8(const ExportModel& model, int index, const std::string& name,
              std::vector<io::NamedSource>& tensors) {
  const Shape& shape = (*model.table)[index].shape;
  tensors.push_back(
      {name, DType::kI8, {shape[0], shape[1]}, int8_bytes(model, index, Int8Part::kIntegers)});
  tensors.push_back(
      {name + "_scale", DType::kF32, {shape[0], 1}, int8_bytes(model, index, Int8Part::kScales)});
}

/// The linear modules of the class, as transformers names them, without those of the encoder.
std::vector<std::string> modules_above_encoder(const ExportModel& model) {
  const ModelIndices& i = model.table->indices();
  std::vector<std::string> modules;
  const auto add = [&](std::string_view parameter) {
    constexpr std::string_view kWeight = ".weight";
    const auto name = export_name(parameter, model.model, model.config);
    if (name) modules.push_back(name->substr(0, name->size() - kWeight.size()));
  };
  for (const int index :
       {i.pooler_weight, i.transform_weight, i.nsp_weight, i.qa_weight, i.classifier_weight}) {
    if (index >= 0) add((*model.table)[index].name);
  }
  if (i.decoder >= 0) add("cls.predictions.decoder.weight");
  return modules;
}

std::string config_text(const ExportModel& model) {
  HeadConfig head = model.head;
  head.architecture = architecture(model.model, model.config);
  SavedWeights weights = {.dtype = model.dtype, .classes = classes_of(model)};
  if (model.read_int8) weights.int8_but_for = modules_above_encoder(model);
  return hugging_face_config_json(model.config, head, weights);
}

}  // namespace

void write_hugging_face(const std::string& folder, const ExportModel& model) {
  std::vector<io::NamedSource> tensors;
  const ModelIndices& at = model.table->indices();
  const std::vector<int> matrices = encoder_matrices(*model.table);
  for (int index = 0; index < static_cast<int>(model.table->parameters().size()); ++index) {
    const Parameter& parameter = (*model.table)[index];
    const auto name = export_name(parameter.name, model.model, model.config);
    if (!name || parameter.absent) continue;
    if (model.read_int8 && std::ranges::find(matrices, index) != matrices.end()) {
      add_int8(model, index, *name, tensors);
      continue;
    }
    std::vector<int64_t> shape = detail::export_shape(model, index);
    tensors.push_back({*name, model.dtype, shape, detail::export_bytes(model, index, shape)});
    if (index != at.mlm_bias || at.decoder == at.word) continue;
    // transformers takes the bias of an untied decoder from its own name.
    const auto second = export_name("cls.predictions.decoder.bias", model.model, model.config);
    if (second != name) {
      tensors.push_back({*second, model.dtype, shape, detail::export_bytes(model, index, shape)});
    }
  }
  io::write_safetensors(folder + "/model.safetensors", tensors);
  io::write_file(folder + "/config.json", config_text(model));
}

}  // namespace bertha::bert
