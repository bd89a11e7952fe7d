#include "bert/quantization_config.h"

#include <initializer_list>
#include <utility>

namespace bertha::bert {
namespace {

using Json = nlohmann::json;
using io::JsonField;

constexpr const char* kMethod = "compressed-tensors";
constexpr const char* kFormat = "int-quantized";

/// A value within the object, named by the keys that lead to it.
class Node {
 public:
  Node(const Json& value, const std::string& path, std::string key)
      : value_(value), path_(path), key_(std::move(key)) {}

  const Json& value() const { return value_; }
  JsonField field() const { return {value_, path_, key_}; }
  bool absent() const { return value_.is_null() || (value_.is_object() && value_.empty()); }
  Node at(const std::string& name) const {
    static const Json kNull;
    const auto found = value_.find(name);
    return {found == value_.end() ? kNull : *found, path_, key_ + "." + name};
  }
  /// Refuses all values but these.
  void any_of(std::initializer_list<Json> supported) const {
    std::string names;
    for (const Json& one : supported) {
      if (value_ == one) return;
      names += (names.empty() ? "" : " or ") + one.dump();
    }
    field().refuse(names);
  }
  void only(const Json& supported) const { field().only(supported); }
  void only_absent() const {
    if (!absent()) field().refuse("an absent value");
  }
  void only_object() const {
    if (!value_.is_object()) field().refuse("an object");
  }

 private:
  const Json& value_;
  const std::string& path_;
  std::string key_;
};

void check_integers(const Node& node) {
  node.only_object();
  node.at("num_bits").only(8);
  node.at("type").only("int");
  node.at("group_size").only_absent();
  node.at("block_structure").only_absent();
  node.at("actorder").only_absent();
}

void check_group(const Node& group) {
  group.only_object();
  group.at("format").any_of({nullptr, kFormat});
  const Node weights = group.at("weights");
  check_integers(weights);
  weights.at("symmetric").only(true);
  weights.at("strategy").any_of({"channel", "tensor"});
  weights.at("dynamic").any_of({nullptr, false});
  group.at("output_activations").only_absent();
  const Node inputs = group.at("input_activations");
  if (inputs.absent()) return;
  check_integers(inputs);
  inputs.at("strategy").only("token");
  inputs.at("dynamic").only(true);
}

}  // namespace

void check_quantization_config(const JsonField& field) {
  const Node root(field.value(), field.path(), "quantization_config");
  root.only_object();
  if (root.absent()) return;
  root.at("quant_method").only(kMethod);
  root.at("format").only(kFormat);
  root.at("quantization_status").only("compressed");
  root.at("kv_cache_scheme").only_absent();
  root.at("sparsity_config").only_absent();
  root.at("transform_config").only_absent();
  const Node groups = root.at("config_groups");
  groups.only_object();
  for (const auto& group : groups.value().items()) check_group(groups.at(group.key()));
}

Json quantization_config_json(std::span<const std::string> ignored) {
  const Json weights = {{"num_bits", 8},         {"type", "int"},    {"symmetric", true},
                        {"strategy", "channel"}, {"dynamic", false}, {"group_size", nullptr}};
  const Json inputs = {{"num_bits", 8},       {"type", "int"},   {"symmetric", false},
                       {"strategy", "token"}, {"dynamic", true}, {"group_size", nullptr}};
  const Json group = {{"format", kFormat},
                      {"targets", {"Linear"}},
                      {"weights", weights},
                      {"input_activations", inputs},
                      {"output_activations", nullptr}};
  Json names = Json::array();
  for (const std::string& name : ignored) names.push_back(name);
  return {{"quant_method", kMethod},
          {"format", kFormat},
          {"quantization_status", "compressed"},
          {"config_groups", {{"group_0", group}}},
          {"ignore", names},
          {"kv_cache_scheme", nullptr}};
}

}  // namespace bertha::bert
