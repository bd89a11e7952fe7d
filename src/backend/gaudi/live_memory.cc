#include "backend/gaudi/live_memory.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace bertha::gaudi {
namespace {

/// For each value the one whose memory it has.
std::vector<size_t> owners_of(const NodeGraph& graph) {
  std::vector<size_t> owners(graph.values.size());
  for (size_t i = 0; i < owners.size(); ++i) owners[i] = i;
  for (const GraphNode& node : graph.nodes) {
    if (node.guid != "reshape") continue;
    const auto result = static_cast<size_t>(node.outputs.front());
    if (graph.values[result].section != kNoSection) continue;  // a copy to its place
    owners[result] = owners[static_cast<size_t>(node.inputs.front())];
  }
  return owners;
}

bool is_backward(const GraphNode& node) {
  return std::string_view(node.op).find("backward") != std::string_view::npos;
}

}  // namespace

LiveMemory live_memory(const NodeGraph& graph) {
  const std::vector<size_t> owners = owners_of(graph);
  std::vector<int64_t> last_reader(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId id : graph.nodes[i].inputs) {
      if (id >= 0) last_reader[owners[static_cast<size_t>(id)]] = static_cast<int64_t>(i);
    }
  }
  const auto bytes = [&](size_t value) {
    const GraphValue& of = graph.values[value];
    return of.section == kNoSection ? align_up(of.size_bytes()) : 0;
  };
  std::vector<std::vector<size_t>> ends(graph.nodes.size());  // values whose life ends with a node
  LiveMemory memory;
  int64_t live = 0;
  bool is_forward = true;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (is_forward && is_backward(graph.nodes[i])) {
      memory.kept_bytes = live;
      is_forward = false;
    }
    for (const ValueId id : graph.nodes[i].outputs) {
      const auto value = static_cast<size_t>(id);
      if (owners[value] != value) continue;
      live += bytes(value);
      const int64_t last = std::max(last_reader[value], static_cast<int64_t>(i));
      ends[static_cast<size_t>(last)].push_back(value);
    }
    memory.peak_bytes = std::max(memory.peak_bytes, live);
    for (const size_t value : ends[i]) live -= bytes(value);
  }
  return memory;
}

}  // namespace bertha::gaudi
