#include "bert/export.h"

#include <cmath>
#include <memory>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/strings.h"
#include "io/weights/safetensors.h"

namespace bertha::bert {
namespace {

constexpr std::string_view kBert = "bert.";

bool has_pooler(ModelClass model) {
  return model != ModelClass::kQuestionAnswering && model != ModelClass::kMaskedLanguageModel;
}

/// True where models of this class have the parameter, pooler aside.
bool belongs(std::string_view parameter, ModelClass model) {
  if (parameter.starts_with(kBert)) return true;
  if (parameter.starts_with("cls.seq_relationship.")) return model == ModelClass::kPretraining;
  if (parameter.starts_with("cls.")) {
    return model == ModelClass::kPretraining || model == ModelClass::kMaskedLanguageModel;
  }
  if (parameter.starts_with("qa_outputs.")) return model == ModelClass::kQuestionAnswering;
  return model == ModelClass::kClassification;
}

int64_t classes_of(const ExportModel& model) {
  const int index = model.table->indices().classifier_weight;
  return index < 0 ? 0 : (*model.table)[index].shape[0];
}

}  // namespace

const char* architecture(ModelClass model) {
  switch (model) {
    case ModelClass::kEncoder:
      return "BertModel";
    case ModelClass::kPretraining:
      return "BertForPreTraining";
    case ModelClass::kMaskedLanguageModel:
      return "BertForMaskedLM";
    case ModelClass::kQuestionAnswering:
      return "BertForQuestionAnswering";
    case ModelClass::kClassification:
      return "BertForSequenceClassification";
  }
  BERTHA_CHECK(false);
}

std::optional<std::string> export_name(std::string_view parameter, ModelClass model) {
  if (!belongs(parameter, model)) return std::nullopt;
  if (parameter.starts_with("bert.pooler.") && !has_pooler(model)) return std::nullopt;
  std::string name(parameter);
  constexpr std::string_view kActivated = "dense_act.";
  if (const size_t at = name.find(kActivated); at != std::string::npos) {
    name.replace(at, kActivated.size(), "dense.");
  }
  if (model == ModelClass::kEncoder) name.erase(0, kBert.size());
  return name;
}

ModelClass model_class_of(const WeightFile& file) {
  const Heads heads = file.heads();
  if (heads.question_answering) return ModelClass::kQuestionAnswering;
  if (heads.classes > 0) return ModelClass::kClassification;
  if (!heads.pretraining) return ModelClass::kEncoder;
  return file.has("cls.seq_relationship.weight") ? ModelClass::kPretraining
                                                 : ModelClass::kMaskedLanguageModel;
}

ExportModel export_model(const WeightFile& file, const ParameterTable& table, const Config& config,
                         DType dtype) {
  file.check(table);
  const ModelClass model = model_class_of(file);
  std::vector<std::string> missing;
  for (const Parameter& parameter : table.parameters()) {
    if (belongs(parameter.name, model) && !file.has(parameter.name)) {
      missing.push_back(parameter.name);
    }
  }
  if (!missing.empty()) {
    fail("{}: not a whole {}: it lacks {}", file.source().path(), architecture(model),
         join(missing, ", "));
  }
  return {.config = config,
          .table = &table,
          .model = model,
          .dtype = dtype,
          .read = [&file, &table](int index, float* to) { file.read(table[index], to); }};
}

std::vector<int64_t> detail::export_shape(const ExportModel& model, int index) {
  const Shape& shape = (*model.table)[index].shape;
  std::vector<int64_t> extents(shape.extents().begin(), shape.extents().end());
  const ModelIndices& indices = model.table->indices();
  if (index == indices.word || index == indices.mlm_bias) extents[0] = model.config.vocab_size;
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
  for (int index = 0; index < static_cast<int>(model.table->parameters().size()); ++index) {
    const std::string& name = (*model.table)[index].name;
    if (!belongs(name, model.model)) continue;
    std::vector<int64_t> shape = detail::export_shape(*shared, index);
    const io::PickleValue& tensor =
        writer.tensor(model.dtype, shape,
                      [shared, bytes = detail::export_bytes(*shared, index, shape)](
                          const io::ByteSink& sink) { bytes(sink); });
    tree.set(dict, name, tensor);
    if (index == model.table->indices().word) word = &tensor;
    if (index == model.table->indices().transform_beta) {
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

void write_hugging_face(const std::string& folder, const ExportModel& model) {
  std::vector<io::NamedSource> tensors;
  for (int index = 0; index < static_cast<int>(model.table->parameters().size()); ++index) {
    const std::optional<std::string> name = export_name((*model.table)[index].name, model.model);
    if (!name) continue;
    std::vector<int64_t> shape = detail::export_shape(model, index);
    tensors.push_back({*name, model.dtype, shape, detail::export_bytes(model, index, shape)});
  }
  io::write_safetensors(folder + "/model.safetensors", tensors);
  io::write_file(folder + "/config.json",
                 hugging_face_config_json(model.config, architecture(model.model), model.dtype,
                                          classes_of(model)));
}

}  // namespace bertha::bert
