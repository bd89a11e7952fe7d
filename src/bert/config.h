#pragma once

#include <cstdint>
#include <string>

#include "core/dtype.h"

namespace bertha::bert {

/// The shape of a BERT model (Devlin et al. 2018). Read from the recipe's `bert_config.json` or a
/// Hugging Face `config.json`; the two name the same things.
struct Config {
  int64_t vocab_size = 0;  ///< V, padded up to a multiple of 8 by padded()
  int64_t hidden_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t intermediate_size = 0;
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double initializer_range = 0.02;
  double layer_norm_eps = 1e-12;

  int64_t head_size() const { return hidden_size / num_attention_heads; }
  /// The same model with the vocabulary padded to a multiple of 8, as the recipe trains it.
  Config padded() const;
  bool operator==(const Config&) const = default;
};

/// Reads a config. Throws Error naming `path` and the key for a missing or unfit value, an
/// activation other than "gelu", or a position embedding other than "absolute".
Config load_config(const std::string& path);
/// `text` is the file's contents, `path` names it in errors.
Config parse_config(const std::string& text, const std::string& path);

/// bert_config.json as the recipe writes it: sorted keys, indent 2, a newline at the end.
std::string recipe_config_json(const Config& config);
/// config.json of a Hugging Face model of class `architecture` ("BertForQuestionAnswering"), its
/// weights of `dtype`; `classes` is the size of a classifier, 0 for none.
std::string hugging_face_config_json(const Config& config, const std::string& architecture,
                                     DType dtype = DType::kF32, int64_t classes = 0);

}  // namespace bertha::bert
