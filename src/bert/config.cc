#include "bert/config.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace bertha::bert {
namespace {

using Json = nlohmann::json;

/// Reads keys of one JSON object and names the file and the key in every complaint.
class Reader {
 public:
  Reader(const Json& json, const std::string& path) : json_(json), path_(path) {}

  /// A whole number in [1, most].
  void count(const char* key, int64_t most, bool required, int64_t& field) const {
    if (!present(key, required)) return;
    const Json& value = json_.at(key);
    if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > most) {
      fail("{}: \"{}\" must be a whole number from 1 to {}, got {}", path_, key, most,
           value.dump());
    }
    field = value.get<int64_t>();
  }

  /// A number in [least, most).
  void real(const char* key, double least, double most, double& field) const {
    if (!present(key, false)) return;
    const Json& value = json_.at(key);
    if (!value.is_number() || !(value.get<double>() >= least && value.get<double>() < most)) {
      fail("{}: \"{}\" must be a number from {} to below {}, got {}", path_, key, least, most,
           value.dump());
    }
    field = value.get<double>();
  }

  /// The only value of a text that this program implements.
  void only(const char* key, const char* expected) const {
    if (!present(key, false) || json_.at(key) == expected) return;
    fail("{}: \"{}\" is {}; only \"{}\" is supported", path_, key, json_.at(key).dump(), expected);
  }

 private:
  bool present(const char* key, bool required) const {
    if (json_.contains(key) && !json_.at(key).is_null()) return true;
    if (required) fail("{}: \"{}\" is missing", path_, key);
    return false;
  }

  const Json& json_;
  const std::string& path_;
};

}  // namespace

Config Config::padded() const {
  Config result = *this;
  result.vocab_size = (vocab_size + 7) / 8 * 8;
  return result;
}

Config parse_config(const std::string& text, const std::string& path) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail("{}: expected a JSON object, a BERT config", path);
  constexpr int64_t kMost = 1 << 20;
  const Reader reader(json, path);
  Config config;
  reader.count("vocab_size", 1 << 24, true, config.vocab_size);
  reader.count("hidden_size", kMost, true, config.hidden_size);
  reader.count("num_hidden_layers", 1024, true, config.num_hidden_layers);
  reader.count("num_attention_heads", kMost, true, config.num_attention_heads);
  reader.count("intermediate_size", kMost, true, config.intermediate_size);
  reader.count("max_position_embeddings", kMost, false, config.max_position_embeddings);
  reader.count("type_vocab_size", kMost, false, config.type_vocab_size);
  reader.real("hidden_dropout_prob", 0, 1, config.hidden_dropout_prob);
  reader.real("attention_probs_dropout_prob", 0, 1, config.attention_probs_dropout_prob);
  reader.real("initializer_range", 0, 10, config.initializer_range);
  reader.real("layer_norm_eps", 0, 1, config.layer_norm_eps);
  reader.only("hidden_act", "gelu");
  reader.only("position_embedding_type", "absolute");
  if (config.hidden_size % config.num_attention_heads != 0) {
    fail("{}: hidden_size {} is not a multiple of num_attention_heads {}", path, config.hidden_size,
         config.num_attention_heads);
  }
  return config;
}

Config load_config(const std::string& path) {
  constexpr std::streamsize kMostBytes = 1 << 19;  // JSON takes many times its size in memory
  std::ifstream file(path, std::ios::binary);
  std::string text(kMostBytes, '\0');
  if (!file || !(file.read(text.data(), kMostBytes) || file.eof())) {
    fail("{}: cannot be read; expected a BERT config (JSON)", path);
  }
  if (file.gcount() == kMostBytes) fail("{}: over {} bytes, no BERT config", path, kMostBytes);
  text.resize(static_cast<size_t>(file.gcount()));
  return parse_config(text, path);
}

namespace {

Json common_json(const Config& config) {
  return {{"attention_probs_dropout_prob", config.attention_probs_dropout_prob},
          {"hidden_act", "gelu"},
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

}  // namespace

std::string recipe_config_json(const Config& config) {
  return common_json(config).dump(2) + "\n";
}

std::string hugging_face_config_json(const Config& config, const std::string& architecture,
                                     DType dtype, int64_t classes) {
  Json json = common_json(config);
  json["torch_dtype"] = dtype == DType::kF16    ? "float16"
                        : dtype == DType::kBF16 ? "bfloat16"
                                                : "float32";
  for (int64_t i = 0; i < classes; ++i) {
    const std::string label = fmt::format("LABEL_{}", i);
    json["id2label"][std::to_string(i)] = label;
    json["label2id"][label] = i;
  }
  json["architectures"] = {architecture};
  json["layer_norm_eps"] = config.layer_norm_eps;
  json["model_type"] = "bert";
  json["pad_token_id"] = 0;
  json["position_embedding_type"] = "absolute";
  return json.dump(2) + "\n";
}

}  // namespace bertha::bert
