#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "ops/linear.h"

namespace bertha::bert {

/// Encoders that differ from BERT in names, in where positions start and in their heads.
enum class ModelFamily : uint8_t {
  kBert,
  kRoberta,    ///< positions start behind the padding token's; Liu et al. 2019
  kDistilBert  ///< no token types; a ReLU in the classifier's pooler; Sanh et al. 2019
};

/// The shape of a BERT model (Devlin et al. 2018). Read from the recipe's `bert_config.json` or a
/// Hugging Face `config.json`; the two name the same things.
struct Config {
  int64_t vocab_size = 0;  ///< V, padded up to a multiple of 8 by padded()
  int64_t hidden_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t intermediate_size = 0;
  int64_t max_position_embeddings = 512;  ///< rows of the position table
  int64_t type_vocab_size = 2;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double initializer_range = 0.02;
  double layer_norm_eps = 1e-12;
  ops::Activation hidden_act = ops::Activation::kGelu;
  std::string model_type{"bert"};  ///< one of the names that family_of() knows
  int64_t position_offset = 0;     ///< row of the position table for the first token
  bool tie_word_embeddings = true;

  int64_t head_size() const { return hidden_size / num_attention_heads; }
  /// The most tokens of a sequence.
  int64_t max_tokens() const { return max_position_embeddings - position_offset; }
  ModelFamily family() const;
  /// Activation of the pooler below a classifier.
  ops::Activation pooler_act() const;
  /// Activation of the language model head's transform.
  ops::Activation transform_act() const;
  /// The same model with the vocabulary padded to a multiple of 8, as the recipe trains it.
  Config padded() const;
  bool operator==(const Config&) const = default;
};

/// What a config.json says about the head.
struct HeadConfig {
  std::string architecture{};         ///< "BertForTokenClassification"; empty: not said
  std::vector<std::string> labels{};  ///< id2label, by id
  std::string problem_type{};  ///< "regression", "single_label_classification", "multi_label_…"
  std::string finetuning_task{};
  bool operator==(const HeadConfig&) const = default;
};

/// All that a config says.
struct ConfigFile {
  Config config;
  HeadConfig head;
  bool int8_weights = false;  ///< quantization_config: kInt8Scheme (quantization_config.h)
  std::string note{};         ///< a warning about keys that are not known; usually empty
};

/// Reads a config. Throws Error naming `path` and the key for a value that is missing, unfit or not
/// supported.
ConfigFile load_config_file(const std::string& path);
Config load_config(const std::string& path);
/// `text` is the file's contents, `path` names it in errors.
ConfigFile parse_config_file(const std::string& text, const std::string& path);
Config parse_config(const std::string& text, const std::string& path);

/// bert_config.json as the recipe writes it: sorted keys, indent 2, a newline at the end. Keys that
/// the recipe does not have are written where the model needs them.
std::string recipe_config_json(const Config& config);
/// What a config.json says about the weights beside it.
struct SavedWeights {
  DType dtype = DType::kF32;  ///< of what is not quantised
  int64_t classes = 0;        ///< outputs of a classifier that have names
  /// The weights of linear modules are 8-bit integers, but for these modules (as transformers names
  /// them). Nothing: no weights are.
  std::optional<std::vector<std::string>> int8_but_for{};
};
/// config.json of a Hugging Face model of class `head.architecture`.
std::string hugging_face_config_json(const Config& config, const HeadConfig& head,
                                     const SavedWeights& weights = {});

/// What the names of a type's classes start with: "DistilBert".
const char* class_prefix(const std::string& model_type);

/// The section of config.json in the reference page.
std::string config_keys_section();

}  // namespace bertha::bert
