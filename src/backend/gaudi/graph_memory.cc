#include "backend/gaudi/graph_memory.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "core/tensor.h"

namespace bertha::gaudi {
namespace {

/// Bytes of a section that a placed value takes.
struct Placed {
  int64_t begin, end;
  ValueId value;
};
/// By section, in the order of the first byte.
using PlacedValues = std::map<int, std::multimap<int64_t, Placed>>;

GraphValue& value_of(NodeGraph& graph, ValueId id) {
  return graph.values[static_cast<size_t>(id)];
}

void add(PlacedValues& placed, const GraphValue& value, ValueId id) {
  const Placed entry{value.offset_bytes, value.offset_bytes + value.size_bytes(), id};
  placed[value.section].emplace(entry.begin, entry);
}

/// Calls visit(id) for each placed value that shares a byte with [begin, end).
template <typename Visit>
void for_each_overlap(const std::multimap<int64_t, Placed>& placed, int64_t longest, int64_t begin,
                      int64_t end, const Visit& visit) {
  for (auto next = placed.lower_bound(begin - longest);
       next != placed.end() && next->second.begin < end; ++next) {
    if (next->second.end > begin) visit(next->second.value);
  }
}

/// Appends a node that copies a value, and returns the copy.
ValueId append_copy(NodeGraph& graph, ValueId of) {
  const GraphValue& from = value_of(graph, of);
  GraphValue copy{
      .type = from.type, .sizes = from.sizes, .producer = static_cast<int>(graph.nodes.size())};
  graph.values.push_back(std::move(copy));
  const auto made = static_cast<ValueId>(graph.values.size() - 1);
  graph.nodes.push_back({.guid = "memcpy", .inputs = {of}, .outputs = {made}, .op = "write"});
  return made;
}

/// Which nodes a write needs, directly or not.
std::vector<bool> needed_nodes(const NodeGraph& graph, const std::vector<MemoryWrite>& writes) {
  std::vector<bool> needed(graph.nodes.size());
  const auto need = [&](ValueId id) {
    if (id < 0) return;
    const int producer = graph.values[static_cast<size_t>(id)].producer;
    if (producer >= 0) needed[static_cast<size_t>(producer)] = true;
  };
  for (const MemoryWrite& write : writes) need(write.value);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (const ValueId id : graph.nodes[i].inputs) need(id);
  }
  return needed;
}

/// Removes the nodes that are not needed, and renumbers the others.
void keep_nodes(NodeGraph& graph, const std::vector<bool>& needed) {
  std::vector<GraphNode> kept;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!needed[i]) {
      for (const ValueId id : graph.nodes[i].outputs) value_of(graph, id).producer = -1;
      continue;
    }
    for (const ValueId id : graph.nodes[i].outputs) {
      value_of(graph, id).producer = static_cast<int>(kept.size());
    }
    kept.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(kept);
}

/// For each value the nodes that read it.
std::vector<std::vector<int>> readers_of(const NodeGraph& graph) {
  std::vector<std::vector<int>> readers(graph.values.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const ValueId id : graph.nodes[i].inputs) {
      if (id >= 0) readers[static_cast<size_t>(id)].push_back(static_cast<int>(i));
    }
  }
  return readers;
}

/// Values in memory so far, those that nodes read from it, and the orders between their users.
class Placement {
 public:
  explicit Placement(NodeGraph& graph) : graph_(graph), readers_(readers_of(graph)) {
    for (size_t i = 0; i < graph.values.size(); ++i) {
      if (graph.values[i].section != kNoSection && !readers_[i].empty()) {
        put(static_cast<ValueId>(i));
      }
    }
  }

  void place(const MemoryWrite& write) {
    ValueId id = write.value;
    const GraphValue& value = value_of(graph_, id);
    BERTHA_CHECK(write.offset_bytes % kAlignmentBytes == 0, "a write at byte {}",
                 write.offset_bytes);
    const Users users = users_of(write, value);
    const int latest = users.nodes.empty() ? -1 : *users.nodes.rbegin();
    const bool free = value.section == kNoSection && value.producer >= latest && !users.in_part;
    if (!free) id = append_copy(graph_, id);
    GraphValue& placed = value_of(graph_, id);
    placed.section = write.section;
    placed.offset_bytes = write.offset_bytes;
    for (const int user : users.nodes) {
      if (user != placed.producer) graph_.orders.emplace_back(user, placed.producer);
    }
    if (!free) {
      readers_[static_cast<size_t>(write.value)].push_back(placed.producer);
      readers_.resize(graph_.values.size());
    }
    put(id);
  }

 private:
  void put(ValueId id) {
    const GraphValue& value = value_of(graph_, id);
    add(placed_, value, id);
    longest_ = std::max(longest_, value.size_bytes());
  }

  struct Users {
    std::set<int> nodes;
    /// The value's producer reads other bytes than those that it would write. In place, a node
    /// reads and writes the same.
    bool in_part = false;
  };

  /// The nodes that read or write values in the bytes of a write.
  Users users_of(const MemoryWrite& write, const GraphValue& value) const {
    Users users;
    const auto of_section = placed_.find(write.section);
    if (of_section == placed_.end()) return users;
    const int64_t end = write.offset_bytes + value.size_bytes();
    for_each_overlap(of_section->second, longest_, write.offset_bytes, end, [&](ValueId id) {
      const auto at = static_cast<size_t>(id);
      const GraphValue& other = graph_.values[at];
      users.nodes.insert(readers_[at].begin(), readers_[at].end());
      if (other.producer >= 0) users.nodes.insert(other.producer);
      const bool same =
          other.offset_bytes == write.offset_bytes && other.size_bytes() == value.size_bytes();
      if (!same && std::ranges::find(readers_[at], value.producer) != readers_[at].end()) {
        users.in_part = true;
      }
    });
    return users;
  }

  NodeGraph& graph_;
  std::vector<std::vector<int>> readers_;
  PlacedValues placed_;
  int64_t longest_ = 0;
};

/// Removes values that no node uses, and numbers values and sections in the order of their use.
std::vector<int> renumber(NodeGraph& graph) {
  std::vector<ValueId> values(graph.values.size(), -1);
  std::vector<int> sections(static_cast<size_t>(graph.sections), -1);
  std::vector<GraphValue> kept;
  std::vector<int> old_sections;
  const auto use = [&](ValueId& id) {
    if (id < 0) return;
    ValueId& number = values[static_cast<size_t>(id)];
    if (number < 0) {
      number = static_cast<ValueId>(kept.size());
      kept.push_back(value_of(graph, id));
      if (int& section = kept.back().section; section != kNoSection) {
        int& known = sections[static_cast<size_t>(section)];
        if (known < 0) {
          known = static_cast<int>(old_sections.size());
          old_sections.push_back(section);
        }
        section = known;
      }
    }
    id = number;
  };
  for (GraphNode& node : graph.nodes) {
    for (ValueId& id : node.inputs) use(id);
    for (ValueId& id : node.outputs) use(id);
  }
  graph.values = std::move(kept);
  graph.sections = static_cast<int>(old_sections.size());
  return old_sections;
}

}  // namespace

std::vector<int> place_writes(NodeGraph& graph, std::vector<MemoryWrite> writes) {
  std::ranges::sort(writes, {}, &MemoryWrite::number);
  // A value that a later write cut in two is one write.
  const auto same_number = [](const MemoryWrite& a, const MemoryWrite& b) {
    return a.number == b.number;
  };
  writes.erase(std::unique(writes.begin(), writes.end(), same_number), writes.end());
  keep_nodes(graph, needed_nodes(graph, writes));
  Placement placement(graph);
  for (const MemoryWrite& write : writes) placement.place(write);
  std::ranges::sort(graph.orders);
  graph.orders.erase(std::unique(graph.orders.begin(), graph.orders.end()), graph.orders.end());
  return renumber(graph);
}

}  // namespace bertha::gaudi
