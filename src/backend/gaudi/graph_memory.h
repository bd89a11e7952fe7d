#pragma once

// Where the results of a recorded graph lie in memory, and the orders that this asks for.

#include <cstdint>
#include <vector>

#include "backend/gaudi/node_graph.h"

namespace bertha::gaudi {

/// A value that a place in memory has after the graph.
struct MemoryWrite {
  int section = 0;
  int64_t offset_bytes = 0;
  ValueId value = -1;
  int64_t number = 0;  ///< in the order of the writes
};

/// Places the values of `writes` in their memory and leaves out the nodes that no write needs. A
/// node that uses what the memory held before runs before the node that writes it: an order is
/// added, and where the writer was recorded too early, a copy behind all others. Sections, values
/// and nodes get new numbers; returns the old number of each section.
std::vector<int> place_writes(NodeGraph& graph, std::vector<MemoryWrite> writes);

}  // namespace bertha::gaudi
