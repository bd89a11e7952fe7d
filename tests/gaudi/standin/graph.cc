#include "gaudi/standin/graph.h"

#include <cstring>

#include "gaudi/standin/memory.h"
#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

constexpr size_t kMaximumGuidBytes = 64;

void check_complete(const Tensor& tensor, const Node& node) {
  require(tensor.sizes.has_value() && tensor.type != kNoType, kInvalidArgument,
          rule::kTensorIncomplete, "node \"{}\" ({}) names tensor \"{}\", whose {} is not set",
          node.name, node.guid, tensor.name, tensor.sizes ? "type" : "geometry");
}

}  // namespace

void Graph::check_open() const {
  require(!compiled, kInvalidArgument, rule::kCallOrder, "the graph is compiled already");
}

Section& Graph::add_section() {
  check_open();
  sections.push_back(std::make_unique<Section>());
  sections.back()->graph = this;
  sections.back()->index = sections.size() - 1;
  return *sections.back();
}

Tensor& Graph::add_tensor(int32_t tensor_type, const char* name) {
  check_open();
  require(tensor_type == kDataTensor, kUnsupported, rule::kArgument,
          "tensor type {} belongs to dynamic shapes, which the stand-in does not have",
          tensor_type);
  require(name != nullptr && *name != '\0', kInvalidArgument, rule::kTensorName,
          "a tensor has no name");
  require(names.insert(name).second, kInvalidArgument, rule::kTensorName,
          "the graph has a tensor \"{}\" already", name);
  tensors.push_back(std::make_unique<Tensor>());
  Tensor& tensor = *tensors.back();
  tensor.graph = this;
  tensor.index = tensors.size() - 1;
  tensor.name = name;
  return tensor;
}

NodeId Graph::add_node(Node node) {
  check_open();
  require(!node.guid.empty() && node.guid.size() < kMaximumGuidBytes, kInvalidArgument, rule::kGuid,
          "\"{}\" is no GUID: it has 1 to 63 bytes", node.guid);
  for (const size_t input : node.inputs) {
    if (input != kNoTensor) check_complete(*tensors[input], node);
  }
  const size_t index = nodes.size();
  std::set<size_t> written;
  for (const size_t output : node.outputs) {
    if (output == kNoTensor) continue;
    const Tensor& tensor = *tensors[output];
    check_complete(tensor, node);
    require(!tensor.producer && written.insert(output).second, kInvalidArgument, rule::kOneProducer,
            "{} is produced by node \"{}\" and by node \"{}\"", describe(tensor),
            tensor.producer ? nodes[*tensor.producer].name : node.name, node.name);
    require(!tensor.constant, kInvalidArgument, rule::kOneProducer,
            "node \"{}\" writes {}, which is a constant", node.name, describe(tensor));
  }
  for (const size_t output : written) tensors[output]->producer = index;
  nodes.push_back(std::move(node));
  return index + 1;
}

Node& Graph::node(NodeId id) {
  require(id >= 1 && id <= nodes.size(), kInvalidArgument, rule::kHandle,
          "the graph has no node of the number {}", id);
  return nodes[id - 1];
}

void Graph::add_order(const std::vector<NodeId>& before, const std::vector<NodeId>& after) {
  check_open();
  for (const NodeId later : after) {
    for (const NodeId earlier : before) {
      node(earlier);
      node(later).after.insert(earlier - 1);
    }
  }
}

void assign(Tensor& tensor, const Section& section, uint64_t offset) {
  tensor.graph->check_open();
  require(section.graph == tensor.graph, kInvalidArgument, rule::kSection,
          "tensor \"{}\" and its section belong to two graphs", tensor.name);
  require(!tensor.section, kInvalidArgument, rule::kSection,
          "tensor \"{}\" lies in a section already", tensor.name);
  require(offset % kAlignmentBytes == 0, kInvalidArgument, rule::kAlignment,
          "tensor \"{}\" lies {} bytes into its section, which is no multiple of {}", tensor.name,
          offset, kAlignmentBytes);
  tensor.section = section.index;
  tensor.offset = offset;
}

void set_sizes(Tensor& tensor, Sizes sizes) {
  tensor.graph->check_open();
  require(!sizes.empty() && sizes.size() <= kMaximumRank, kInvalidArgument, rule::kRank,
          "tensor \"{}\" has {} dimensions: expected 1 to {}", tensor.name, sizes.size(),
          kMaximumRank);
  uint64_t count = 1;
  for (const uint64_t size : sizes) {
    require(size > 0 && size <= (uint64_t{1} << 40) / count, kInvalidArgument,
            rule::kTensorIncomplete, "tensor \"{}\" has the sizes {}", tensor.name, to_text(sizes));
    count *= size;
  }
  tensor.sizes = std::move(sizes);
}

void set_type(Tensor& tensor, int32_t type) {
  tensor.graph->check_open();
  require(bytes_of_type(type) != 0, kInvalidArgument, rule::kTensorIncomplete,
          "tensor \"{}\" has the type {}, which the stand-in does not compute with", tensor.name,
          type);
  tensor.type = static_cast<DataType>(type);
}

void set_constant(Tensor& tensor, const void* data, uint64_t size_bytes, int32_t type) {
  tensor.graph->check_open();
  require(data != nullptr, kInvalidArgument, rule::kArgument, "tensor \"{}\": the data is null",
          tensor.name);
  require(tensor.sizes && type == tensor.type && size_bytes == tensor.size_bytes(),
          kInvalidArgument, rule::kTensorIncomplete,
          "{} bytes of type {} are given for the constant {}", size_bytes, type, describe(tensor));
  require(!tensor.section, kInvalidArgument, rule::kSection,
          "the constant \"{}\" lies in a section", tensor.name);
  require(!tensor.producer, kInvalidArgument, rule::kOneProducer,
          "the constant \"{}\" is produced by a node", tensor.name);
  tensor.constant.emplace(size_bytes);
  std::memcpy(tensor.constant->data(), data, size_bytes);
}

std::string describe(const Tensor& tensor) {
  return fmt::format("tensor \"{}\" {} {}", tensor.name,
                     tensor.sizes ? to_text(*tensor.sizes) : "[?]",
                     tensor.type == kNoType ? "?" : type_name(tensor.type));
}

}  // namespace bertha::standin
