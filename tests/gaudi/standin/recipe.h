#pragma once

// A compiled graph: the rules that hold for a whole graph, the order of its nodes, and its
// execution on bound memory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gaudi/standin/graph.h"

namespace bertha::standin {

struct RecipeTensor {
  std::string name;
  std::optional<size_t> section;
  uint64_t offset = 0;
  DataType type = kNoType;
  Sizes sizes;
  std::optional<std::vector<std::byte>> constant = {};
  bool produced = false;
  bool consumed = false;
  /// Nodes read what the memory holds before the launch.
  bool reads_earlier_content = false;
  /// The launch replaces the content and nothing reads the earlier one.
  bool replaces_content = false;

  uint64_t size_bytes() const { return count_of(sizes) * bytes_of_type(type); }
};

struct Recipe {
  std::string name;
  int32_t device_type = kGaudi2;
  uint64_t workspace_bytes = 0;
  std::vector<RecipeTensor> tensors;
  std::vector<Node> nodes;  ///< in the order of execution

  /// The identifier that synTensorRetrieveIds gives for a persistent tensor.
  static uint64_t id_of(size_t tensor) { return tensor + 1000; }
};

/// Checks the graph and orders its nodes, at random where the order is free. Throws Refusal.
std::shared_ptr<const Recipe> compile(const Graph& graph, const std::string& name, uint64_t seed);

/// Runs the nodes. `memory` has the place of each persistent tensor, null for all others.
void execute(const Recipe& recipe, const std::vector<std::byte*>& memory);

std::vector<uint8_t> to_bytes(const Recipe& recipe);
/// Throws Refusal for bytes that to_bytes() did not write.
std::shared_ptr<const Recipe> recipe_from_bytes(const std::vector<uint8_t>& bytes);

}  // namespace bertha::standin
