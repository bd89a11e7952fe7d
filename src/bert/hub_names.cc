#include "bert/hub_names.h"

#include <array>
#include <span>

namespace bertha::bert {
namespace {

struct NamePair {
  std::string_view table;
  std::string_view hub;
};

// The start of a name. The first pair that fits is the one that counts.
constexpr std::array<NamePair, 7> kRobertaStarts = {
    {{"cls.predictions.transform.dense_act.", "lm_head.dense."},
     {"cls.predictions.transform.LayerNorm.", "lm_head.layer_norm."},
     {"cls.predictions.", "lm_head."},
     {"bert.pooler.dense_act.", "roberta.pooler.dense."},
     {"bert.pooler.dense_act.", "classifier.dense."},
     {"classifier.", "classifier.out_proj."},
     {"bert.", "roberta."}}};
constexpr std::array<NamePair, 7> kDistilBertStarts = {
    {{"cls.predictions.transform.dense_act.", "vocab_transform."},
     {"cls.predictions.transform.LayerNorm.", "vocab_layer_norm."},
     {"cls.predictions.bias", "vocab_projector.bias"},
     {"cls.predictions.decoder.", "vocab_projector."},
     {"bert.pooler.dense_act.", "pre_classifier."},
     {"bert.encoder.layer.", "distilbert.transformer.layer."},
     {"bert.", "distilbert."}}};

// A part behind the layer's number.
constexpr std::array<NamePair, 8> kDistilBertParts = {
    {{".attention.self.query.", ".attention.q_lin."},
     {".attention.self.key.", ".attention.k_lin."},
     {".attention.self.value.", ".attention.v_lin."},
     {".attention.output.dense.", ".attention.out_lin."},
     {".attention.output.LayerNorm.", ".sa_layer_norm."},
     {".intermediate.dense_act.", ".ffn.lin1."},
     {".output.dense.", ".ffn.lin2."},
     {".output.LayerNorm.", ".output_layer_norm."}}};

/// Replaces `from` at the start of the name by `to`.
bool replace_start(std::string& name, std::string_view from, std::string_view to) {
  if (!name.starts_with(from)) return false;
  name.replace(0, from.size(), to);
  return true;
}

void to_table(std::string& name, std::span<const NamePair> starts) {
  for (const NamePair& pair : starts) {
    if (replace_start(name, pair.hub, pair.table)) return;
  }
}

/// Replaces the first part that the name holds.
void replace_part(std::string& name, std::string_view NamePair::*from,
                  std::string_view NamePair::*to) {
  for (const NamePair& pair : kDistilBertParts) {
    const size_t at = name.find(pair.*from);
    if (at == std::string::npos) continue;
    name.replace(at, (pair.*from).size(), pair.*to);
    return;
  }
}

bool starts_with_any(std::string_view name, std::span<const std::string_view> starts) {
  for (const std::string_view start : starts) {
    if (name.starts_with(start)) return true;
  }
  return false;
}

}  // namespace

std::optional<ModelFamily> family_of_name(std::string_view name) {
  constexpr std::array<std::string_view, 4> kRoberta = {"roberta.", "lm_head.", "classifier.dense.",
                                                        "classifier.out_proj."};
  constexpr std::array<std::string_view, 6> kDistilBert = {"distilbert.",      "transformer.layer.",
                                                           "vocab_transform.", "vocab_layer_norm.",
                                                           "vocab_projector.", "pre_classifier."};
  if (starts_with_any(name, kRoberta)) return ModelFamily::kRoberta;
  if (starts_with_any(name, kDistilBert)) return ModelFamily::kDistilBert;
  return std::nullopt;
}

std::optional<std::string> from_hub_name(std::string_view file_name) {
  const std::optional<ModelFamily> family = family_of_name(file_name);
  if (!family) return std::nullopt;
  std::string name(file_name);
  if (*family == ModelFamily::kRoberta) {
    to_table(name, kRobertaStarts);
    return name;
  }
  if (name.starts_with("transformer.layer.")) name.insert(0, "distilbert.");
  replace_part(name, &NamePair::hub, &NamePair::table);
  to_table(name, kDistilBertStarts);
  return name;
}

std::string to_hub_name(std::string parameter, ModelFamily family, bool classifies_sequences) {
  if (family == ModelFamily::kDistilBert) {
    replace_part(parameter, &NamePair::table, &NamePair::hub);
    for (const NamePair& pair : kDistilBertStarts) {
      if (replace_start(parameter, pair.table, pair.hub)) break;
    }
  }
  if (family != ModelFamily::kRoberta) return parameter;
  for (const NamePair& pair : kRobertaStarts) {
    const bool of_classifier = pair.hub.starts_with("classifier.");
    const bool of_pooler = pair.hub.starts_with("roberta.pooler.");
    if (of_classifier && !classifies_sequences) continue;
    if (of_pooler && classifies_sequences) continue;
    if (replace_start(parameter, pair.table, pair.hub)) break;
  }
  return parameter;
}

}  // namespace bertha::bert
