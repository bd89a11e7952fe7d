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
  kNextSentence,         ///< pre-training without the language model head
  kQuestionAnswering,
  kClassification,       ///< of texts or pairs of texts
  kTokenClassification,  ///< of each token
  kMultipleChoice        ///< one logit for each of several texts
};

/// The class of transformers for a model of this type: "BertForQuestionAnswering",
/// "DistilBertModel".
std::string architecture(ModelClass model, const Config& config);
/// The class that transformers' name says, whatever the type; nothing for another name.
std::optional<ModelClass> class_named(std::string_view architecture);
/// Whether models of this class have a pooler.
bool has_pooler(ModelClass model);

/// The name under which that class keeps a parameter of the table; nothing where it has none:
/// BertForQuestionAnswering and BertForMaskedLM have no pooler.
std::optional<std::string> export_name(std::string_view parameter, ModelClass model,
                                       const Config& config = {});

struct ExportModel {
  Config config;  ///< vocab_size is the true one; the table's rows past it are cut off
  const ParameterTable* table = nullptr;
  ModelClass model = ModelClass::kEncoder;
  DType dtype = DType::kF32;  ///< f32, f16 or bf16
  HeadConfig head{};          ///< labels and the like; its architecture is not used
  /// Copies one parameter's f32 elements, as the table shapes it.
  std::function<void(int index, float* values)> read;
  /// Gives a weight of the encoder's products as 8-bit integers. Where it is set, a Hugging Face
  /// folder has these weights in this form, and the others are of `dtype`.
  std::function<void(int index, const ops::Int8Channels& to)> read_int8{};
};

/// The class that the heads of a file make, question answering and classification before
/// pre-training. The name of a class decides where the file leaves it open: a classifier is one of
/// sequences, tokens or choices. Without a name it is one of tokens where there is no pooler, else
/// one of sequences.
ModelClass model_class_of(const WeightFile& file, std::string_view architecture = {});

/// What export_model() makes of a file.
struct ExportRequest {
  DType dtype = DType::kF32;
  HeadConfig head{};      ///< as the model's config says it
  bool computes = false;  ///< the result computes (ONNX): it needs the pooler below its head
  bool int8 = false;      ///< the weights of the encoder's products as 8-bit integers
};

/// The parameters of `file` for export. Throws Error, listing them, for parameters of that class
/// which the file lacks. `file` and `table` must outlive the result.
ExportModel export_model(const WeightFile& file, const ParameterTable& table, const Config& config,
                         const ExportRequest& request);

/// The recipe's state dict in model order, the decoder as the word embeddings' second name. The
/// vocabulary keeps the table's rows.
const io::PickleValue& state_dict(io::TorchWriter& writer, const ExportModel& model);
/// {"model": state dict}, what the recipe's --init_checkpoint reads.
void write_recipe_weights(const std::string& path, const ExportModel& model);

/// model.safetensors and config.json in `folder`, which must exist. 8-bit integers are `weight` I8
/// and `weight_scale` F32 [N,1], and config.json states kInt8Scheme (quantization_config.h).
void write_hugging_face(const std::string& folder, const ExportModel& model);

/// An ONNX model (opset 17): inputs input_ids, attention_mask and, where the model has types of
/// tokens, token_type_ids, i64 [N,S] with both extents free, for multiple choice [N,C,S]; outputs
/// last_hidden_state (and pooler_output), logits (and seq_relationship_logits), or start_logits and
/// end_logits. Weights of 16 bits are widened in the graph, arithmetic is f32. Past 2 GB of weights
/// they lie in `path`.data. The model is one that computes (ExportRequest).
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
