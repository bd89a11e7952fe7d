#pragma once

// A graph under construction: sections, tensors and nodes, with the rules that hold while it is
// built.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gaudi/standin/values.h"

namespace bertha::standin {

struct Graph;

struct Section {
  Graph* graph = nullptr;
  size_t index = 0;
  bool persistent = false;
};

struct Tensor {
  Graph* graph = nullptr;
  size_t index = 0;
  std::string name;
  std::optional<size_t> section;
  uint64_t offset = 0;
  std::optional<Sizes> sizes;
  DataType type = kNoType;
  std::optional<std::vector<std::byte>> constant;
  std::optional<size_t> producer;  ///< a node

  bool persistent() const { return section.has_value(); }
  uint64_t size_bytes() const { return count_of(*sizes) * bytes_of_type(type); }
};

constexpr size_t kNoTensor = SIZE_MAX;  ///< an optional operand that is left out

struct Node {
  std::string guid;
  std::string name;
  std::vector<size_t> inputs;
  std::vector<size_t> outputs;
  std::vector<std::byte> parameters;
  std::set<size_t> after;  ///< nodes that synNodeDependencySet puts before this one
};

struct Graph {
  int32_t device_type = kGaudi2;
  std::vector<std::unique_ptr<Section>> sections;
  std::vector<std::unique_ptr<Tensor>> tensors;
  std::vector<Node> nodes;
  std::set<std::string> names;
  bool compiled = false;
  std::mutex mutex;

  Section& add_section();
  Tensor& add_tensor(int32_t tensor_type, const char* name);
  /// Returns the number of the node, counted from 1.
  NodeId add_node(Node node);
  void add_order(const std::vector<NodeId>& before, const std::vector<NodeId>& after);
  Node& node(NodeId id);
  /// Throws Refusal once the graph is compiled.
  void check_open() const;
};

void assign(Tensor& tensor, const Section& section, uint64_t offset);
void set_sizes(Tensor& tensor, Sizes sizes);
void set_type(Tensor& tensor, int32_t type);
void set_constant(Tensor& tensor, const void* data, uint64_t size_bytes, int32_t type);

/// "tensor \"x\" [4,3] f32".
std::string describe(const Tensor& tensor);

}  // namespace bertha::standin
