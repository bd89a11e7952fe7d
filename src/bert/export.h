#pragma once

// A model on its way out: the recipe's .pt, a Hugging Face folder, ONNX. Values are asked for one
// parameter at a time, from an open file or a device, so that a model is never in memory twice.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bert/config.h"
#include "bert/parameters.h"
#include "bert/weights.h"
#include "io/weights/tensor_data.h"
#include "io/weights/torch_file.h"

namespace bertha::bert {

/// What a model is to those who load it.
enum class ModelClass : uint8_t {
  kEncoder,
  kPretraining,
  kMaskedLanguageModel,  ///< pre-training without the next sentence head
  kQuestionAnswering,
  kClassification,
};

/// The class of transformers, "BertForQuestionAnswering".
const char* architecture(ModelClass model);

/// The name under which that class keeps a parameter of the table; nothing where it has none:
/// BertForQuestionAnswering and BertForMaskedLM have no pooler.
std::optional<std::string> export_name(std::string_view parameter, ModelClass model);

struct ExportModel {
  Config config;  ///< vocab_size is the true one; the table's rows past it are cut off
  const ParameterTable* table = nullptr;
  ModelClass model = ModelClass::kEncoder;
  DType dtype = DType::kF32;  ///< f32, f16 or bf16
  /// Copies one parameter's f32 elements, as the table shapes it.
  std::function<void(int index, float* values)> read;
};

/// The class that the heads of a file make, question answering and classification before
/// pre-training.
ModelClass model_class_of(const WeightFile& file);

/// The parameters of `file` for export. Throws Error, listing them, for parameters of that class
/// which the file lacks. `file` and `table` must outlive the result.
ExportModel export_model(const WeightFile& file, const ParameterTable& table, const Config& config,
                         DType dtype);

/// The recipe's state dict in model order, the decoder as the word embeddings' second name. The
/// vocabulary keeps the table's rows.
const io::PickleValue& state_dict(io::TorchWriter& writer, const ExportModel& model);
/// {"model": state dict}, what the recipe's --init_checkpoint reads.
void write_recipe_weights(const std::string& path, const ExportModel& model);

/// model.safetensors and config.json in `folder`, which must exist.
void write_hugging_face(const std::string& folder, const ExportModel& model);

/// An ONNX model (opset 17): inputs input_ids, attention_mask and token_type_ids, i64 [N,S] with
/// both extents free; outputs last_hidden_state (and pooler_output), logits, or start_logits and
/// end_logits. Weights of 16 bits are widened in the graph, arithmetic is f32. Past 2 GB of weights
/// they lie in `path`.data. Throws Error for a class that needs the pooler when the table has none.
void write_onnx(const std::string& path, const ExportModel& model);

namespace detail {

/// A parameter's shape with the true vocabulary.
std::vector<int64_t> export_shape(const ExportModel& model, int index);
enum class Order : uint8_t { kAsInTable, kTransposed };
/// Gives a parameter's bytes in the model's type, cut to `shape`. It throws Error for a value that
/// f16 cannot hold. `model` must outlive the source.
io::ByteSource export_bytes(const ExportModel& model, int index, std::vector<int64_t> shape,
                            Order order = Order::kAsInTable);

}  // namespace detail

}  // namespace bertha::bert
