#include "bert/config.h"

#include <algorithm>
#include <array>

#include "bert/quantization_config.h"
#include "core/error.h"
#include "core/strings.h"
#include "io/json_key_table.h"

namespace bertha::bert {
namespace {

using io::JsonField;
using io::KeyUse;
using ops::Activation;
using Json = nlohmann::json;
using Row = io::KeyRow<ConfigFile>;

constexpr int64_t kMost = 1 << 20;
constexpr int64_t kMostLabels = 1 << 16;

struct ModelTypeName {
  const char* model_type;
  const char* prefix;  ///< of the classes' names
  ModelFamily family;
};
constexpr std::array<ModelTypeName, 5> kModelTypes = {
    {{"bert", "Bert", ModelFamily::kBert},
     {"roberta", "Roberta", ModelFamily::kRoberta},
     {"camembert", "Camembert", ModelFamily::kRoberta},
     {"xlm-roberta", "XLMRoberta", ModelFamily::kRoberta},
     {"distilbert", "DistilBert", ModelFamily::kDistilBert}}};

const ModelTypeName& row_of(const std::string& model_type) {
  for (const ModelTypeName& row : kModelTypes) {
    if (model_type == row.model_type) return row;
  }
  BERTHA_CHECK(false, "model_type {}", model_type);
}

struct ActivationName {
  const char* name;
  Activation activation;
};
// The first name of an activation is the one that is written.
constexpr std::array<ActivationName, 10> kActivations = {
    {{"gelu", Activation::kGelu},
     {"gelu_python", Activation::kGelu},
     {"gelu_new", Activation::kGeluTanh},
     {"gelu_pytorch_tanh", Activation::kGeluTanh},
     {"gelu_python_tanh", Activation::kGeluTanh},
     {"gelu_fast", Activation::kGeluTanh},
     {"gelu_accurate", Activation::kGeluTanh},
     {"relu", Activation::kRelu},
     {"silu", Activation::kSilu},
     {"swish", Activation::kSilu}}};

const char* name_of(Activation activation) {
  for (const ActivationName& row : kActivations) {
    if (row.activation == activation) return row.name;
  }
  BERTHA_CHECK(false, "activation {}", static_cast<int>(activation));
}

template <int64_t Config::*kField, int64_t kLargest = kMost>
void read_count(const JsonField& field, ConfigFile& to) {
  to.config.*kField = field.count(1, kLargest);
}

template <double Config::*kField, int kLimit>
void read_real(const JsonField& field, ConfigFile& to) {
  to.config.*kField = field.real(0, kLimit);
}

template <bool kSupported>
void read_only_flag(const JsonField& field, ConfigFile& /*to*/) {
  field.only(kSupported);
}

void read_empty(const JsonField& field, ConfigFile& /*to*/) {
  if (!field.value().empty()) field.refuse("an empty value");
}

void read_model_type(const JsonField& field, ConfigFile& to) {
  std::vector<std::string> known;
  for (const ModelTypeName& row : kModelTypes) {
    if (field.value() == row.model_type) {
      to.config.model_type = row.model_type;
      return;
    }
    known.emplace_back(row.model_type);
  }
  field.refuse(join(known, ", "));
}

void read_architectures(const JsonField& field, ConfigFile& to) {
  if (!field.value().is_array()) field.refuse("a list with the name of a class");
  if (field.value().empty()) return;
  const Json& first = field.value()[0];
  if (!first.is_string()) field.refuse("a list with the name of a class");
  to.head.architecture = first.get<std::string>();
}

void read_activation(const JsonField& field, ConfigFile& to) {
  std::vector<std::string> known;
  for (const ActivationName& row : kActivations) {
    if (field.value() == row.name) {
      to.config.hidden_act = row.activation;
      return;
    }
    known.emplace_back(row.name);
  }
  field.refuse(join(known, ", "));
}

void read_labels(const JsonField& field, ConfigFile& to) {
  const Json& labels = field.value();
  if (!labels.is_object() || std::ssize(labels) > kMostLabels) {
    field.refuse("an object with a text for each of the keys \"0\", \"1\", …");
  }
  to.head.labels.clear();
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto found = labels.find(std::to_string(i));
    if (found == labels.end() || !found->is_string()) {
      field.refuse("an object with a text for each of the keys \"0\", \"1\", …");
    }
    to.head.labels.push_back(found->get<std::string>());
  }
}

void read_label_count(const JsonField& field, ConfigFile& to) {
  const int64_t count = field.count(1, kMostLabels);
  to.head.labels.clear();
  for (int64_t i = 0; i < count; ++i) to.head.labels.push_back(fmt::format("LABEL_{}", i));
}

void read_problem_type(const JsonField& field, ConfigFile& to) {
  to.head.problem_type = field.text();
  for (const char* known :
       {"regression", "single_label_classification", "multi_label_classification"}) {
    if (to.head.problem_type == known) return;
  }
  field.refuse("regression, single_label_classification, multi_label_classification");
}

constexpr Row ignored(std::string_view name, std::string_view note = "") {
  return {{name, KeyUse::kIgnored, note}, nullptr};
}

// model_type is the first: a model of another type is refused by it, not by a key that it lacks.
constexpr auto kConfigKeys = std::to_array<Row>({
    {{"model_type", KeyUse::kChecked,
      "`bert`, `roberta`, `camembert`, `xlm-roberta` or `distilbert`; see models.md"},
     read_model_type},
    {{"architectures", KeyUse::kObeyed, "the class, where the names of the tensors leave it open"},
     read_architectures},
    {{"vocab_size", KeyUse::kObeyed, "required"}, read_count<&Config::vocab_size, 1 << 24>},
    {{"hidden_size", KeyUse::kObeyed, "required"}, read_count<&Config::hidden_size>},
    {{"dim", KeyUse::kObeyed, "DistilBERT's name of hidden_size"},
     read_count<&Config::hidden_size>},
    {{"num_hidden_layers", KeyUse::kObeyed, "required"},
     read_count<&Config::num_hidden_layers, 1024>},
    {{"n_layers", KeyUse::kObeyed, "DistilBERT's name of num_hidden_layers"},
     read_count<&Config::num_hidden_layers, 1024>},
    {{"num_attention_heads", KeyUse::kObeyed, "required"},
     read_count<&Config::num_attention_heads>},
    {{"n_heads", KeyUse::kObeyed, "DistilBERT's name of num_attention_heads"},
     read_count<&Config::num_attention_heads>},
    {{"intermediate_size", KeyUse::kObeyed, "required"}, read_count<&Config::intermediate_size>},
    {{"hidden_dim", KeyUse::kObeyed, "DistilBERT's name of intermediate_size"},
     read_count<&Config::intermediate_size>},
    {{"max_position_embeddings", KeyUse::kObeyed, "512 without the key"},
     read_count<&Config::max_position_embeddings>},
    {{"type_vocab_size", KeyUse::kObeyed,
      "2 without the key; with 1 the second text of a pair has the type of the first"},
     read_count<&Config::type_vocab_size>},
    {{"hidden_dropout_prob", KeyUse::kObeyed, ""}, read_real<&Config::hidden_dropout_prob, 1>},
    {{"dropout", KeyUse::kObeyed, "DistilBERT's name of hidden_dropout_prob"},
     read_real<&Config::hidden_dropout_prob, 1>},
    {{"attention_probs_dropout_prob", KeyUse::kObeyed, ""},
     read_real<&Config::attention_probs_dropout_prob, 1>},
    {{"attention_dropout", KeyUse::kObeyed, "DistilBERT's name of attention_probs_dropout_prob"},
     read_real<&Config::attention_probs_dropout_prob, 1>},
    {{"initializer_range", KeyUse::kObeyed, ""}, read_real<&Config::initializer_range, 10>},
    {{"layer_norm_eps", KeyUse::kObeyed, ""}, read_real<&Config::layer_norm_eps, 1>},
    {{"hidden_act", KeyUse::kChecked,
      "`gelu`, `gelu_python`; `gelu_new`, `gelu_pytorch_tanh`, `gelu_python_tanh`, `gelu_fast`, "
      "`gelu_accurate`; `relu`; `silu`, `swish`"},
     read_activation},
    {{"activation", KeyUse::kChecked, "DistilBERT's name of hidden_act"}, read_activation},
    {{"tie_word_embeddings", KeyUse::kObeyed,
      "false: the decoder of the language model is a parameter of its own"},
     [](const JsonField& field, ConfigFile& to) { to.config.tie_word_embeddings = field.flag(); }},
    {{"pad_token_id", KeyUse::kObeyed, "RoBERTa's positions start behind it; 1 without the key"},
     [](const JsonField& field, ConfigFile& to) {
       to.config.position_offset = field.count(0, kMost) + 1;
     }},
    {{"num_labels", KeyUse::kObeyed, "id2label takes precedence"}, read_label_count},
    {{"_num_labels", KeyUse::kObeyed, "id2label takes precedence"}, read_label_count},
    {{"id2label", KeyUse::kObeyed, "names of a classifier's classes"}, read_labels},
    ignored("label2id", "follows from id2label"),
    {{"problem_type", KeyUse::kChecked,
      "`single_label_classification`, `multi_label_classification` or `regression`; without the "
      "key a classifier of one label is a regression"},
     read_problem_type},
    {{"finetuning_task", KeyUse::kObeyed, "kept by `convert`"},
     [](const JsonField& field, ConfigFile& to) { to.head.finetuning_task = field.text(); }},
    {{"is_decoder", KeyUse::kChecked, "`false`"}, read_only_flag<false>},
    {{"is_encoder_decoder", KeyUse::kChecked, "`false`"}, read_only_flag<false>},
    {{"add_cross_attention", KeyUse::kChecked, "`false`"}, read_only_flag<false>},
    {{"position_embedding_type", KeyUse::kChecked, "`absolute`"},
     [](const JsonField& field, ConfigFile&) { field.only("absolute"); }},
    {{"pruned_heads", KeyUse::kChecked, "an empty object"}, read_empty},
    {{"quantization_config", KeyUse::kChecked,
      "`compressed-tensors` of the format `int-quantized`: 8 bits, symmetric, a scale for each "
      "channel or tensor; activations dynamic for each token, or none"},
     [](const JsonField& field, ConfigFile& to) {
       check_quantization_config(field);
       to.int8_weights = !field.value().empty();
     }},
    {{"auto_map", KeyUse::kChecked, "null: the model's own Python code is not run"}, read_empty},
    ignored("sinusoidal_pos_embds", "the table of positions is among the weights"),
    ignored("chunk_size_feed_forward", "the same result with less memory"),
    ignored("classifier_dropout", "heads are trained without dropout"),
    ignored("qa_dropout", "heads are trained without dropout"),
    ignored("seq_classif_dropout", "heads are trained without dropout"),
    ignored("gradient_checkpointing", "`--checkpoint-activations` of `pretrain` says it"),
    ignored("dtype", "the weights' file says it"),
    ignored("torch_dtype", "the weights' file says it"),
    ignored("sentence_transformers", "how a CrossEncoder scales its result"),
    ignored("use_cache", "of decoders"),
    ignored("bos_token_id", "the tokenizer's files say it"),
    ignored("eos_token_id", "the tokenizer's files say it"),
    ignored("sep_token_id", "the tokenizer's files say it"),
    ignored("cls_token_id", "the tokenizer's files say it"),
    ignored("mask_token_id", "the tokenizer's files say it"),
    ignored("unk_token_id", "the tokenizer's files say it"),
    ignored("tokenizer_class", "the tokenizer's files say it"),
    ignored("directionality", "not read by transformers either"),
    ignored("pooler_fc_size", "not read by transformers either"),
    ignored("pooler_num_attention_heads", "not read by transformers either"),
    ignored("pooler_num_fc_layers", "not read by transformers either"),
    ignored("pooler_size_per_head", "not read by transformers either"),
    ignored("pooler_type", "not read by transformers either"),
    ignored("tie_weights_", "not read by transformers either"),
    ignored("_name_or_path"),
    ignored("_commit_hash"),
    ignored("_attn_implementation", "how, not what"),
    ignored("_attn_implementation_autoset", "how, not what"),
    ignored("attn_implementation", "how, not what"),
    ignored("transformers_version"),
    ignored("language"),
    ignored("name"),
    ignored("output_attentions"),
    ignored("output_hidden_states"),
    ignored("output_past"),
    ignored("return_dict"),
    ignored("torchscript"),
    ignored("use_bfloat16"),
    ignored("tf_legacy_loss"),
    ignored("cross_attention_hidden_size", "of decoders"),
    ignored("decoder_start_token_id", "of decoders"),
    ignored("tie_encoder_decoder", "of decoders"),
    ignored("prefix", "of text generation"),
    ignored("task_specific_params", "of text generation"),
    ignored("max_length", "of text generation"),
    ignored("min_length", "of text generation"),
    ignored("do_sample", "of text generation"),
    ignored("early_stopping", "of text generation"),
    ignored("num_beams", "of text generation"),
    ignored("num_beam_groups", "of text generation"),
    ignored("diversity_penalty", "of text generation"),
    ignored("temperature", "of text generation"),
    ignored("top_k", "of text generation"),
    ignored("top_p", "of text generation"),
    ignored("typical_p", "of text generation"),
    ignored("repetition_penalty", "of text generation"),
    ignored("length_penalty", "of text generation"),
    ignored("no_repeat_ngram_size", "of text generation"),
    ignored("encoder_no_repeat_ngram_size", "of text generation"),
    ignored("bad_words_ids", "of text generation"),
    ignored("num_return_sequences", "of text generation"),
    ignored("output_scores", "of text generation"),
    ignored("return_dict_in_generate", "of text generation"),
    ignored("forced_bos_token_id", "of text generation"),
    ignored("forced_eos_token_id", "of text generation"),
    ignored("remove_invalid_values", "of text generation"),
    ignored("exponential_decay_length_penalty", "of text generation"),
    ignored("suppress_tokens", "of text generation"),
    ignored("begin_suppress_tokens", "of text generation"),
});

/// Takes the model's type from the class where no key says it.
void settle_family(const Json& json, ConfigFile& file) {
  Config& config = file.config;
  if (!json.contains("model_type")) {
    for (const ModelTypeName& row : kModelTypes) {
      if (file.head.architecture.starts_with(row.prefix)) config.model_type = row.model_type;
    }
  }
  if (config.family() == ModelFamily::kDistilBert) config.type_vocab_size = 1;
  if (config.family() != ModelFamily::kRoberta) {
    config.position_offset = 0;
  } else if (config.position_offset == 0) {
    config.position_offset = 2;  // the usual padding token's id is 1
  }
}

void check_shape(const Config& config, const std::string& path) {
  const auto required = [&path](const char* key, int64_t value) {
    if (value == 0) fail("{}: \"{}\" is missing", path, key);
  };
  required("vocab_size", config.vocab_size);
  required("hidden_size", config.hidden_size);
  required("num_hidden_layers", config.num_hidden_layers);
  required("num_attention_heads", config.num_attention_heads);
  required("intermediate_size", config.intermediate_size);
  if (config.hidden_size % config.num_attention_heads != 0) {
    fail("{}: hidden_size {} is not a multiple of num_attention_heads {}", path, config.hidden_size,
         config.num_attention_heads);
  }
  if (config.max_tokens() < 1) {
    fail("{}: max_position_embeddings {} leaves no position behind pad_token_id {}", path,
         config.max_position_embeddings, config.position_offset - 1);
  }
}

constexpr const char* kWhat = "a BERT config";

ConfigFile config_of(const Json& json, const std::string& path) {
  ConfigFile file;
  const auto unknown = io::read_fields<ConfigFile>(json, path, kConfigKeys, file);
  file.note = io::unknown_keys_note(path, unknown);
  settle_family(json, file);
  check_shape(file.config, path);
  return file;
}

}  // namespace

const char* class_prefix(const std::string& model_type) {
  return row_of(model_type).prefix;
}

ModelFamily Config::family() const {
  return row_of(model_type).family;
}

Activation Config::pooler_act() const {
  return family() == ModelFamily::kDistilBert ? Activation::kRelu : Activation::kTanh;
}

Activation Config::transform_act() const {
  return family() == ModelFamily::kRoberta ? Activation::kGelu : hidden_act;
}

Config Config::padded() const {
  Config result = *this;
  result.vocab_size = (vocab_size + 7) / 8 * 8;
  return result;
}

ConfigFile parse_config_file(const std::string& text, const std::string& path) {
  return config_of(io::parse_json_object(text, path, kWhat), path);
}

Config parse_config(const std::string& text, const std::string& path) {
  return parse_config_file(text, path).config;
}

ConfigFile load_config_file(const std::string& path) {
  return config_of(io::read_json_object(path, kWhat), path);
}

Config load_config(const std::string& path) {
  return load_config_file(path).config;
}

namespace {

Json common_json(const Config& config) {
  return {{"attention_probs_dropout_prob", config.attention_probs_dropout_prob},
          {"hidden_act", name_of(config.hidden_act)},
          {"hidden_dropout_prob", config.hidden_dropout_prob},
          {"hidden_size", config.hidden_size},
          {"initializer_range", config.initializer_range},
          {"intermediate_size", config.intermediate_size},
          {"max_position_embeddings", config.max_position_embeddings},
          {"num_attention_heads", config.num_attention_heads},
          {"num_hidden_layers", config.num_hidden_layers},
          {"type_vocab_size", config.type_vocab_size},
          {"vocab_size", config.vocab_size}};
}

/// DistilBERT's config has names of its own.
Json distilbert_json(const Config& config) {
  return {{"attention_dropout", config.attention_probs_dropout_prob},
          {"activation", name_of(config.hidden_act)},
          {"dropout", config.hidden_dropout_prob},
          {"dim", config.hidden_size},
          {"initializer_range", config.initializer_range},
          {"hidden_dim", config.intermediate_size},
          {"max_position_embeddings", config.max_position_embeddings},
          {"n_heads", config.num_attention_heads},
          {"n_layers", config.num_hidden_layers},
          {"pad_token_id", 0},
          {"vocab_size", config.vocab_size}};
}

Json hugging_face_shape(const Config& config) {
  if (config.family() == ModelFamily::kDistilBert) return distilbert_json(config);
  Json json = common_json(config);
  json["layer_norm_eps"] = config.layer_norm_eps;
  json["pad_token_id"] = std::max<int64_t>(config.position_offset - 1, 0);
  json["position_embedding_type"] = "absolute";
  return json;
}

void add_labels(const HeadConfig& head, int64_t classes, Json& json) {
  for (int64_t i = 0; i < classes; ++i) {
    const std::string label = i < std::ssize(head.labels) ? head.labels[static_cast<size_t>(i)]
                                                          : fmt::format("LABEL_{}", i);
    json["id2label"][std::to_string(i)] = label;
    json["label2id"][label] = i;
  }
  if (!head.problem_type.empty()) json["problem_type"] = head.problem_type;
  if (!head.finetuning_task.empty()) json["finetuning_task"] = head.finetuning_task;
}

}  // namespace

std::string recipe_config_json(const Config& config) {
  const Config usual;
  Json json = common_json(config);
  if (config.layer_norm_eps != usual.layer_norm_eps) json["layer_norm_eps"] = config.layer_norm_eps;
  if (config.model_type != usual.model_type) json["model_type"] = config.model_type;
  if (config.position_offset > 0) json["pad_token_id"] = config.position_offset - 1;
  if (!config.tie_word_embeddings) json["tie_word_embeddings"] = false;
  return json.dump(2) + "\n";
}

std::string hugging_face_config_json(const Config& config, const HeadConfig& head,
                                     const SavedWeights& weights) {
  Json json = hugging_face_shape(config);
  json["torch_dtype"] = weights.dtype == DType::kF16    ? "float16"
                        : weights.dtype == DType::kBF16 ? "bfloat16"
                                                        : "float32";
  json["architectures"] = {head.architecture};
  json["model_type"] = config.model_type;
  if (!config.tie_word_embeddings) json["tie_word_embeddings"] = false;
  if (weights.int8_but_for) {
    json["quantization_config"] = quantization_config_json(*weights.int8_but_for);
  }
  add_labels(head, weights.classes, json);
  return json.dump(2) + "\n";
}

std::string config_keys_section() {
  return io::keys_section("config.json",
                          "Also `bert_config.json`. A value of null is that of an absent key.",
                          io::keys_of(std::span<const Row>(kConfigKeys)));
}

}  // namespace bertha::bert
