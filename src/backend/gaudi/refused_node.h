#pragma once

// Which node of a graph a compiler refuses. A compiler that refuses a graph of thousands of nodes
// need not say why, so parts of the graph are compiled to find out.

#include <functional>
#include <string>

#include "backend/gaudi/node_graph.h"

namespace bertha::gaudi {

/// Nodes [first, end) of a graph as a graph of its own. Values that other nodes make are operands
/// in memory of their own, and so are results that none of these nodes reads.
NodeGraph part_of(const NodeGraph& graph, int first, int end);

/// A node for people: GUID, operation, types and extents (fastest first) of operands and results.
std::string describe_node(const NodeGraph& graph, int node);

/// Says as a clause which node makes the compiler refuse `graph`, which it did. Each node is
/// compiled alone, equal ones once; where all are taken, the beginnings of the graph, by bisection.
/// `accepts` says whether the compiler takes a graph.
std::string find_refused_node(const NodeGraph& graph,
                              const std::function<bool(const NodeGraph&)>& accepts);

}  // namespace bertha::gaudi
