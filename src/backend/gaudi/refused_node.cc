#include "backend/gaudi/refused_node.h"

#include <fmt/format.h>

#include <unordered_set>
#include <vector>

namespace bertha::gaudi {
namespace {

std::string describe_values(const NodeGraph& graph, const std::vector<ValueId>& ids) {
  std::string text;
  for (const ValueId id : ids) {
    if (!text.empty()) text += ", ";
    if (id < 0) {
      text += "none";
      continue;
    }
    const GraphValue& value = graph.values[static_cast<size_t>(id)];
    text += fmt::format("{} {}", suffix(value.type), to_string(value.sizes));
  }
  return text;
}

/// The last node without which the graph is taken.
int last_refused(const NodeGraph& graph, const std::function<bool(const NodeGraph&)>& accepts) {
  int taken = 0;
  auto refused = static_cast<int>(graph.nodes.size());
  while (refused - taken > 1) {
    const int middle = taken + (refused - taken) / 2;
    (accepts(part_of(graph, 0, middle)) ? taken : refused) = middle;
  }
  return refused - 1;
}

}  // namespace

NodeGraph part_of(const NodeGraph& graph, int first, int end) {
  NodeGraph part;
  part.values = graph.values;
  part.sections = graph.sections;
  std::vector<bool> read(graph.values.size());
  std::vector<bool> used(graph.values.size());
  for (int i = first; i < end; ++i) {
    const GraphNode& node = graph.nodes[static_cast<size_t>(i)];
    for (const ValueId id : node.inputs) {
      if (id >= 0) read[static_cast<size_t>(id)] = used[static_cast<size_t>(id)] = true;
    }
    for (const ValueId id : node.outputs) used[static_cast<size_t>(id)] = true;
    part.nodes.push_back(node);
  }
  std::vector<ValueId> numbers(graph.values.size(), -1);
  std::vector<GraphValue> kept;
  for (size_t i = 0; i < part.values.size(); ++i) {
    if (!used[i]) continue;
    GraphValue& value = part.values[i];
    const bool is_made = first <= value.producer && value.producer < end;
    value.producer = is_made ? value.producer - first : -1;
    if (value.section == kNoSection && !(is_made && read[i])) {
      value.section = part.sections++;
      value.offset_bytes = 0;
    }
    numbers[i] = static_cast<ValueId>(kept.size());
    kept.push_back(std::move(value));
  }
  part.values = std::move(kept);
  for (GraphNode& node : part.nodes) {
    for (ValueId& id : node.inputs) id = id < 0 ? id : numbers[static_cast<size_t>(id)];
    for (ValueId& id : node.outputs) id = numbers[static_cast<size_t>(id)];
  }
  for (const auto& [before, after] : graph.orders) {
    if (before < first || after < first || before >= end || after >= end) continue;
    part.orders.emplace_back(before - first, after - first);
  }
  return part;
}

std::string describe_node(const NodeGraph& graph, int node) {
  const GraphNode& of = graph.nodes[static_cast<size_t>(node)];
  return fmt::format("node {}, {} of \"{}\", with the operands {} and the results {}", node,
                     of.guid, of.op, describe_values(graph, of.inputs),
                     describe_values(graph, of.outputs));
}

std::string find_refused_node(const NodeGraph& graph,
                              const std::function<bool(const NodeGraph&)>& accepts) {
  const auto count = static_cast<int>(graph.nodes.size());
  std::unordered_set<std::string> taken;
  for (int i = 0; i < count; ++i) {
    NodeGraph alone = part_of(graph, i, i + 1);
    // Where its values lie makes no difference to whether a kernel takes a node.
    for (size_t v = 0; v < alone.values.size(); ++v) {
      alone.values[v].section = static_cast<int>(v);
      alone.values[v].offset_bytes = 0;
    }
    alone.sections = static_cast<int>(alone.values.size());
    if (!taken.insert(alone.key()).second) continue;
    if (!accepts(alone)) return "alone it refuses " + describe_node(graph, i);
  }
  if (accepts(graph)) return "asked again, it takes the graph";
  return "it takes each node alone, and all nodes before " +
         describe_node(graph, last_refused(graph, accepts)) + ", but not with it";
}

}  // namespace bertha::gaudi
