#pragma once

// The one place where a model is opened: its config, tokenizer, weights and head, from a folder or
// a checkpoint of any format, with a report of what the files hold and what they lack.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bert/config.h"
#include "bert/parameters.h"
#include "bert/weights.h"
#include "core/device.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"

namespace bertha::infer {

/// Where the files of a model lie, and how text becomes tokens.
struct ModelFiles {
  /// A folder, or a file that io::open_weights opens. find_model() makes it the encoder's folder
  /// where a sentence-transformers model keeps it in a folder of its own.
  std::string weights{};
  std::string modules{};  ///< the folder of a sentence-transformers model; empty: none
  /// Empty: bert_config.json or config.json beside the weights, else the config that a checkpoint
  /// of pre-training carries.
  std::string config{};
  /// Empty: vocab.txt or tokenizer.json beside the weights, else the vocabulary that such a
  /// checkpoint carries.
  std::string vocabulary{};
  /// What the user asks for. The tokenizer's files and then the vocabulary go before it
  /// (text/casing.h).
  std::optional<bool> lower_case{};
  bool lower_case_otherwise = true;  ///< where nothing says it
  bool lower_case_first = false;     ///< texts are lower-cased before a tokenizer that does not
  text::TokenRules rules = text::TokenRules::kHf;
};

/// The files of the model at `path`, a folder or a file in it. Throws Error for a modules.json that
/// is not one of sentence-transformers.
ModelFiles find_model(const std::string& path);
/// The config as its source has it, the vocabulary not padded. Logs a warning for unknown keys.
/// What it says about the head is taken from a config.json beside the weights where
/// bert_config.json, which the recipe writes, says nothing about it. Throws Error when there is
/// none.
bert::ConfigFile read_config_file(const ModelFiles& files);
bert::Config read_config(const ModelFiles& files);
/// Whether read_config() would find one.
bool has_config(const ModelFiles& files);
/// Whether read_tokenizer() would find one.
bool has_tokenizer(const ModelFiles& files);
/// The vocabulary and what its folder says about it. Logs a warning for keys that are unknown.
/// Throws Error when there is none, for what is not supported, and for a vocabulary beside a
/// checkpoint that carries another one.
text::TokenizerFile read_tokenizer(const ModelFiles& files);
/// How a tokenizer with this vocabulary treats text. Logs a warning when what the user asks for,
/// the files and the vocabulary contradict each other about the case of letters.
text::TokenizerOptions tokenizer_options(const ModelFiles& files, const text::TokenizerFile& file);
/// Throws Error when the vocabulary has ids for which the model has no row, or when the model has
/// more rows than the vocabulary rounded up to a multiple of 128, the largest padding in use.
void check_vocabulary(const text::Vocabulary& vocabulary, const bert::Config& config);
/// The class names of a fine-tuned classifier: the lines of labels.txt beside the weights, else
/// those of the config, else the two that transformers leaves out of a config. Throws Error for the
/// config of another model.
std::vector<std::string> read_labels(const ModelFiles& files, const bert::HeadConfig& head);

/// What the files of a model say, apart from its weights. It is immutable, so several models and
/// threads may share it.
class ModelDefinition {
 public:
  /// Throws Error for a file that is missing or not supported, and for a vocabulary of another
  /// size than the model's.
  explicit ModelDefinition(const ModelFiles& files);
  ModelDefinition(const ModelDefinition&) = delete;
  ModelDefinition& operator=(const ModelDefinition&) = delete;

  const ModelFiles& files() const { return files_; }
  /// The vocabulary is padded to a multiple of 8.
  const bert::Config& config() const { return config_.config; }
  /// What the config says about the head.
  const bert::HeadConfig& head() const { return config_.head; }
  const text::Vocabulary& vocabulary() const { return file_.vocabulary; }
  const text::Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  ModelFiles files_;
  bert::ConfigFile config_;
  text::TokenizerFile file_;
  text::Tokenizer tokenizer_;
};

/// The task that a model is opened for. It decides which head the model has and which tensors it
/// needs.
enum class Purpose : uint8_t {
  kEmbed,     ///< the encoder alone
  kFill,      ///< the masked language model head
  kAnswer,    ///< the question answering head
  kClassify,  ///< the pooler and a classifier
  kTag        ///< a classifier of each token
};

/// In which arithmetic a model computes.
struct Arithmetic {
  DType compute = DType::kF32;  ///< of activations, f32 or bf16
  bert::Products products = bert::Products::kWide;
  bool operator==(const Arithmetic&) const = default;
};
/// "fp32", "bf16" or "int8", as --precision takes them.
const char* name_of(const Arithmetic& arithmetic);

struct OpenOptions {
  Purpose purpose = Purpose::kEmbed;
  int64_t classes = 0;  ///< outputs of the classifier, for kClassify and kTag alone
  Arithmetic arithmetic{};
  /// The model is opened for training: it has gradients, and a head or pooler that the weights lack
  /// is not missing, because training starts it afresh.
  bool trainable = false;
  uint64_t seed = 0;  ///< of the values of parameters that the weights lack
  /// The policy for missing tensors. Empty: a tensor that the purpose needs and the weights lack is
  /// an Error. Otherwise the function receives the warning, and the tensor gets random values.
  std::function<void(const std::string& warning)> on_missing{};
};

/// What was loaded and what is missing.
struct LoadReport {
  bert::LoadReport weights;
  std::vector<std::string> missing;  ///< tensors that the purpose needs and the weights lack
  bool head_missing = false;         ///< some of them belong to the head
};

/// An open model. Once it is open, inference only reads it; each task on it (answer.h, fill.h,
/// embed.h, classify.h, tag.h) keeps the values of its forward passes to itself.
class Model {
 public:
  /// Reads all files of a model. Throws Error naming the file for one that does not fit, and for
  /// missing tensors as the options say. The device must outlive the model.
  static std::unique_ptr<Model> open(const ModelFiles& files, Device& device,
                                     const OpenOptions& options);
  /// Reads the weights of a model whose other files were read before.
  static std::unique_ptr<Model> open(std::shared_ptr<const ModelDefinition> definition,
                                     Device& device, const OpenOptions& options);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelDefinition& definition() const { return *definition_; }
  const bert::Config& config() const { return definition_->config(); }
  const text::Tokenizer& tokenizer() const { return definition_->tokenizer(); }
  Device& device() const { return parameters_.device(); }
  bert::ParameterStore& parameters() { return parameters_; }
  const bert::ParameterStore& parameters() const { return parameters_; }
  const LoadReport& report() const { return report_; }

 private:
  Model(std::shared_ptr<const ModelDefinition> definition, Device& device,
        const OpenOptions& options);
  void report_missing(const OpenOptions& options);

  std::shared_ptr<const ModelDefinition> definition_;
  bert::ParameterStore parameters_;
  LoadReport report_;
};

}  // namespace bertha::infer
