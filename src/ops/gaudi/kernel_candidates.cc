#include "ops/gaudi/kernel_candidates.h"

#include "core/error.h"

namespace bertha::ops {

Value probe_operand(const NodeBuilder& nodes, const std::string& name, ElementType type,
                    const Sizes& sizes) {
  return nodes.recorder().host_input(name, {type, sizes}, {}, {});
}

bool KernelCandidates::compiles(const Candidate& candidate) const {
  gaudi::GraphRecorder recorder;
  recorder.begin();
  recorder.begin_op(candidate.name);
  candidate.probe(NodeBuilder(recorder));
  return device_.compiles(recorder.end().graph, candidate.name);
}

int KernelCandidates::choose(const std::string& what, std::initializer_list<Candidate> candidates) {
  if (const auto known = numbers_.find(what); known != numbers_.end()) return known->second;
  int number = 0;
  std::string tried;
  for (const Candidate& candidate : candidates) {
    if (compiles(candidate)) {
      numbers_.emplace(what, number);
      names_.emplace(what, candidate.name);
      return number;
    }
    tried += (tried.empty() ? "" : ", ") + std::string(candidate.name);
    ++number;
  }
  fail("Gaudi: the compiler takes none of the ways to compute {}: {}", what, tried);
}

}  // namespace bertha::ops
