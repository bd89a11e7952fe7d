#pragma once

// How much memory the values of a graph need that have no place of their own, by the order in which
// the nodes were recorded. A compiler is free to order and to fuse nodes, so its workspace differs.

#include <cstdint>

#include "backend/gaudi/node_graph.h"

namespace bertha::gaudi {

struct LiveMemory {
  int64_t peak_bytes = 0;  ///< the most that is alive at once
  /// What the first node of a backward pass and those behind it read of nodes before it: the
  /// activations that are kept. 0 for a graph without a backward pass.
  int64_t kept_bytes = 0;
};

/// A value lives from its producer to its last reader. A reshape shares the memory of its operand.
LiveMemory live_memory(const NodeGraph& graph);

}  // namespace bertha::gaudi
