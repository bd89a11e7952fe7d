#pragma once

// An operation, or a part of one, that can be written in several ways: a kernel of the vendor's
// first, then nodes that any version has. The first that the compiler takes is used. To find it, a
// graph of each is compiled, which needs no device and runs nothing.

#include <functional>
#include <initializer_list>
#include <map>
#include <string>

#include "backend/gaudi/graph_device.h"
#include "ops/gaudi/node_builder.h"

namespace bertha::ops {

struct Candidate {
  const char* name;
  /// Makes the nodes for small operands, and keeps their results.
  std::function<void(const NodeBuilder&)> probe;
};

class KernelCandidates {
 public:
  explicit KernelCandidates(const gaudi::GraphDevice& device) : device_(device) {}

  /// The number of the first candidate that compiles; decided at the first call for `what`. Throws
  /// Error that names them all where none does.
  int choose(const std::string& what, std::initializer_list<Candidate> candidates);
  /// What was chosen, by what it is for.
  const std::map<std::string, std::string>& chosen() const { return names_; }

 private:
  bool compiles(const Candidate& candidate) const;

  const gaudi::GraphDevice& device_;
  std::map<std::string, int> numbers_;
  std::map<std::string, std::string> names_;
};

/// An operand of a probe; each has a name of its own.
Value probe_operand(const NodeBuilder& nodes, const std::string& name, ElementType type,
                    const Sizes& sizes);

}  // namespace bertha::ops
