#include "gaudi/standin/recipe.h"

#include <nlohmann/json.hpp>

#include "gaudi/standin/node_kinds.h"
#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

/// Runs the nodes of a recipe one after the other.
class Execution {
 public:
  Execution(const Recipe& recipe, const std::vector<std::byte*>& memory)
      : recipe_(recipe),
        memory_(memory),
        values_(recipe.tensors.size()),
        uses_(recipe.tensors.size()) {
    for (const Node& node : recipe.nodes) {
      for (const size_t input : node.inputs) {
        if (input != kNoTensor) ++uses_[input];
      }
    }
  }

  void run(const Node& node) {
    Call call{.guid = node.guid,
              .node = node.name,
              .device_type = recipe_.device_type,
              .parameters = node.parameters,
              .inputs = {},
              .outputs = {}};
    for (const size_t input : node.inputs) call.inputs.push_back(read(input));
    for (const size_t output : node.outputs) call.outputs.push_back(empty(output));
    run_node(call);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoTensor) write(node.outputs[i], std::move(call.outputs[i].data));
    }
  }

 private:
  Operand empty(size_t tensor) const {
    if (tensor == kNoTensor) return {};
    return {.present = true,
            .type = recipe_.tensors[tensor].type,
            .sizes = recipe_.tensors[tensor].sizes};
  }

  Operand read(size_t tensor) {
    Operand operand = empty(tensor);
    if (tensor == kNoTensor) return operand;
    const RecipeTensor& described = recipe_.tensors[tensor];
    if (described.section) {
      operand.data = load(operand.type, operand.sizes, memory_[tensor]).data;
    } else if (described.constant) {
      operand.data = load(operand.type, operand.sizes, described.constant->data()).data;
    } else if (--uses_[tensor] == 0) {
      operand.data = std::move(values_[tensor]);
    } else {
      operand.data = values_[tensor];
    }
    return operand;
  }

  void write(size_t tensor, std::vector<double> data) {
    const RecipeTensor& described = recipe_.tensors[tensor];
    if (described.section) {
      store({described.type, described.sizes, std::move(data)}, memory_[tensor]);
    } else if (uses_[tensor] > 0) {
      values_[tensor] = std::move(data);
    }
  }

  const Recipe& recipe_;
  const std::vector<std::byte*>& memory_;
  std::vector<std::vector<double>> values_;
  std::vector<uint64_t> uses_;
};

using Json = nlohmann::json;

Json to_json(const std::vector<std::byte>& bytes) {
  std::vector<uint8_t> copy;
  copy.reserve(bytes.size());
  for (const std::byte byte : bytes) copy.push_back(std::to_integer<uint8_t>(byte));
  return Json::binary(std::move(copy));
}

std::vector<std::byte> bytes_from(const Json& json) {
  std::vector<std::byte> bytes;
  for (const uint8_t byte : json.get_binary()) bytes.push_back(std::byte{byte});
  return bytes;
}

constexpr const char* kFormat = "synapse stand-in recipe 1";

Json to_json(const RecipeTensor& tensor) {
  Json json = {
      {"name", tensor.name},
      {"offset", tensor.offset},
      {"type", static_cast<int32_t>(tensor.type)},
      {"sizes", tensor.sizes},
      {"flags",
       {tensor.produced, tensor.consumed, tensor.reads_earlier_content, tensor.replaces_content}}};
  if (tensor.section) json["section"] = *tensor.section;
  if (tensor.constant) json["constant"] = to_json(*tensor.constant);
  return json;
}

RecipeTensor tensor_from(const Json& json) {
  RecipeTensor tensor;
  tensor.name = json.at("name").get<std::string>();
  tensor.offset = json.at("offset").get<uint64_t>();
  tensor.type = static_cast<DataType>(json.at("type").get<int32_t>());
  tensor.sizes = json.at("sizes").get<Sizes>();
  const auto flags = json.at("flags").get<std::vector<bool>>();
  tensor.produced = flags.at(0);
  tensor.consumed = flags.at(1);
  tensor.reads_earlier_content = flags.at(2);
  tensor.replaces_content = flags.at(3);
  if (json.contains("section")) tensor.section = json.at("section").get<size_t>();
  if (json.contains("constant")) tensor.constant = bytes_from(json.at("constant"));
  return tensor;
}

Json to_json(const Node& node) {
  return {{"guid", node.guid},
          {"name", node.name},
          {"inputs", node.inputs},
          {"outputs", node.outputs},
          {"parameters", to_json(node.parameters)}};
}

Node node_from(const Json& json) {
  return {.guid = json.at("guid").get<std::string>(),
          .name = json.at("name").get<std::string>(),
          .inputs = json.at("inputs").get<std::vector<size_t>>(),
          .outputs = json.at("outputs").get<std::vector<size_t>>(),
          .parameters = bytes_from(json.at("parameters")),
          .after = {}};
}

}  // namespace

void execute(const Recipe& recipe, const std::vector<std::byte*>& memory) {
  Execution execution(recipe, memory);
  for (const Node& node : recipe.nodes) execution.run(node);
}

std::vector<uint8_t> to_bytes(const Recipe& recipe) {
  Json json = {{"format", kFormat},
               {"name", recipe.name},
               {"device_type", recipe.device_type},
               {"workspace_bytes", recipe.workspace_bytes},
               {"tensors", Json::array()},
               {"nodes", Json::array()}};
  for (const RecipeTensor& tensor : recipe.tensors) json["tensors"].push_back(to_json(tensor));
  for (const Node& node : recipe.nodes) json["nodes"].push_back(to_json(node));
  return Json::to_cbor(json);
}

std::shared_ptr<const Recipe> recipe_from_bytes(const std::vector<uint8_t>& bytes) {
  try {
    const Json json = Json::from_cbor(bytes);
    require(json.at("format").get<std::string>() == kFormat, kInvalidArgument, rule::kArgument,
            "the file is of another version");
    auto recipe = std::make_shared<Recipe>();
    recipe->name = json.at("name").get<std::string>();
    recipe->device_type = json.at("device_type").get<int32_t>();
    recipe->workspace_bytes = json.at("workspace_bytes").get<uint64_t>();
    for (const Json& tensor : json.at("tensors")) recipe->tensors.push_back(tensor_from(tensor));
    for (const Json& node : json.at("nodes")) recipe->nodes.push_back(node_from(node));
    return recipe;
  } catch (const nlohmann::json::exception& error) {
    refuse(kInvalidArgument, rule::kArgument, "the file is no recipe: {}", error.what());
  }
}

}  // namespace bertha::standin
