#include <algorithm>
#include <map>

#include "core/philox.h"
#include "gaudi/standin/memory.h"
#include "gaudi/standin/node_kinds.h"
#include "gaudi/standin/recipe.h"
#include "gaudi/standin/refusal.h"

namespace bertha::standin {
namespace {

Operand operand_of(const Graph& graph, size_t tensor) {
  if (tensor == kNoTensor) return {};
  const Tensor& found = *graph.tensors[tensor];
  return {.present = true, .type = found.type, .sizes = *found.sizes};
}

void check_nodes(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    Call call{.guid = node.guid,
              .node = node.name,
              .device_type = graph.device_type,
              .parameters = node.parameters,
              .inputs = {},
              .outputs = {}};
    for (const size_t input : node.inputs) call.inputs.push_back(operand_of(graph, input));
    for (const size_t output : node.outputs) call.outputs.push_back(operand_of(graph, output));
    check_node(call);
  }
}

void check_tensors(const Graph& graph) {
  for (const auto& tensor : graph.tensors) {
    if (!tensor->section) continue;
    require(graph.sections[*tensor->section]->persistent, kSectionValidation, rule::kSection,
            "{} lies in a section that is not persistent", describe(*tensor));
    require(tensor->sizes && tensor->type != kNoType, kFail, rule::kTensorIncomplete,
            "{} lies in a section and is not complete", describe(*tensor));
  }
  for (const Node& node : graph.nodes) {
    for (const size_t input : node.inputs) {
      if (input == kNoTensor) continue;
      const Tensor& tensor = *graph.tensors[input];
      require(tensor.persistent() || tensor.constant || tensor.producer, kFail, rule::kNoProducer,
              "node \"{}\" reads {}, which no node produces and which is neither persistent nor "
              "a constant",
              node.name, describe(tensor));
    }
  }
}

/// Which nodes must run before which.
class NodeOrder {
 public:
  NodeOrder(const Graph& graph, uint64_t seed) : graph_(graph) {
    for (const Node& node : graph.nodes) before_.push_back(nodes_before(node));
    sort(seed);
    close();
  }

  const std::vector<size_t>& sorted() const { return sorted_; }
  bool is_before(size_t earlier, size_t later) const {
    return (all_before_[later][earlier / 64] >> earlier % 64 & 1) != 0;
  }
  bool are_ordered(size_t a, size_t b) const { return is_before(a, b) || is_before(b, a); }

 private:
  std::set<size_t> nodes_before(const Node& node) const {
    std::set<size_t> before = node.after;
    for (const size_t input : node.inputs) {
      if (input != kNoTensor && graph_.tensors[input]->producer) {
        before.insert(*graph_.tensors[input]->producer);
      }
    }
    return before;
  }

  void sort(uint64_t seed) {
    PhiloxStream random(seed, 0);
    std::vector<size_t> missing;
    std::vector<std::vector<size_t>> after(before_.size());
    std::vector<size_t> ready;
    for (size_t node = 0; node < before_.size(); ++node) {
      missing.push_back(before_[node].size());
      for (const size_t earlier : before_[node]) after[earlier].push_back(node);
      if (before_[node].empty()) ready.push_back(node);
    }
    while (!ready.empty()) {
      std::swap(ready[random.below(ready.size())], ready.back());
      const size_t node = ready.back();
      ready.pop_back();
      sorted_.push_back(node);
      for (const size_t later : after[node]) {
        if (--missing[later] == 0) ready.push_back(later);
      }
    }
    for (size_t node = 0; node < missing.size(); ++node) {
      require(missing[node] == 0, kFail, rule::kCycle, "node \"{}\" waits for itself",
              graph_.nodes[node].name);
    }
  }

  /// all_before_[n] has a bit for each node before n, over any number of steps.
  void close() {
    const size_t words = (before_.size() + 63) / 64;
    all_before_.assign(before_.size(), std::vector<uint64_t>(words, 0));
    for (const size_t node : sorted_) {
      for (const size_t earlier : before_[node]) {
        all_before_[node][earlier / 64] |= uint64_t{1} << earlier % 64;
        for (size_t word = 0; word < words; ++word) {
          all_before_[node][word] |= all_before_[earlier][word];
        }
      }
    }
  }

  const Graph& graph_;
  std::vector<std::set<size_t>> before_;
  std::vector<size_t> sorted_;
  std::vector<std::vector<uint64_t>> all_before_;
};

/// Pairs of tensors that share memory, and the order of the nodes that touch it.
class SharedMemory {
 public:
  SharedMemory(const Graph& graph, const NodeOrder& order) : graph_(graph), order_(order) {
    consumers_.resize(graph.tensors.size());
    for (size_t node = 0; node < graph.nodes.size(); ++node) {
      for (const size_t input : graph.nodes[node].inputs) {
        if (input != kNoTensor) consumers_[input].push_back(node);
      }
    }
    for (const auto& tensor : graph.tensors) {
      if (tensor->section) by_section_[*tensor->section].push_back(tensor.get());
    }
    for (auto& [section, tensors] : by_section_) {
      std::ranges::sort(tensors, {}, [](const Tensor* tensor) { return tensor->offset; });
    }
  }

  /// Throws Refusal where a writer is not ordered against another node that touches its memory.
  void check() const {
    for (const auto& [section, tensors] : by_section_) {
      for (const Tensor* tensor : tensors) {
        if (!tensor->producer) continue;
        for (const Tensor* other : sharing(*tensor)) check_pair(*tensor, *other);
      }
    }
  }

  bool consumed(const Tensor& tensor) const { return !consumers_[tensor.index].empty(); }

  /// Whether a consumer sees what the memory held before the launch: it has no producer, and no
  /// writer of its memory comes before.
  bool reads_earlier_content(const Tensor& tensor) const {
    if (!tensor.section || tensor.producer) return false;
    const std::vector<const Tensor*> others = sharing(tensor);
    return std::ranges::any_of(consumers_[tensor.index], [&](size_t consumer) {
      return std::ranges::none_of(others, [&](const Tensor* other) {
        return other->producer && order_.is_before(*other->producer, consumer);
      });
    });
  }

  bool replaces_content(const Tensor& tensor) const {
    if (!tensor.section || !tensor.producer) return false;
    return std::ranges::none_of(sharing(tensor),
                                [&](const Tensor* other) { return reads_earlier_content(*other); });
  }

 private:
  static Range range_of(const Tensor& tensor) { return {tensor.offset, tensor.size_bytes()}; }

  std::vector<const Tensor*> sharing(const Tensor& tensor) const {
    std::vector<const Tensor*> others;
    for (const Tensor* other : by_section_.at(*tensor.section)) {
      if (other->offset >= range_of(tensor).end()) break;
      if (other != &tensor && range_of(*other).overlaps(range_of(tensor))) others.push_back(other);
    }
    return others;
  }

  void check_pair(const Tensor& written, const Tensor& other) const {
    std::vector<size_t> nodes = consumers_[other.index];
    if (other.producer) nodes.push_back(*other.producer);
    for (const size_t node : nodes) {
      if (node == *written.producer) {
        check_in_place(graph_.nodes[node], written, other);
      } else {
        require(order_.are_ordered(node, *written.producer), kSectionValidation,
                rule::kInPlaceOrder,
                "{} and {} share memory but no explicit order: node \"{}\" writes the one and "
                "node \"{}\" touches the other",
                describe(written), describe(other), graph_.nodes[*written.producer].name,
                graph_.nodes[node].name);
      }
    }
  }

  /// A node that reads and writes the same memory: at one offset with one size, or not at all.
  static void check_in_place(const Node& node, const Tensor& written, const Tensor& other) {
    require(written.offset == other.offset && written.size_bytes() == other.size_bytes() &&
                other.producer != written.producer,
            kSectionValidation, rule::kInPlaceOrder,
            "node \"{}\" writes {} and touches {}, which share a part of their memory", node.name,
            describe(written), describe(other));
  }

  const Graph& graph_;
  const NodeOrder& order_;
  std::vector<std::vector<size_t>> consumers_;
  std::map<size_t, std::vector<const Tensor*>> by_section_;
};

uint64_t aligned(uint64_t bytes) {
  return (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
}

/// The most bytes of tensors without a section that live at the same time.
uint64_t peak_bytes(const Graph& graph, const std::vector<size_t>& sorted) {
  std::vector<uint64_t> uses(graph.tensors.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const size_t input : node.inputs) {
      if (input != kNoTensor) ++uses[input];
    }
  }
  const auto bytes = [&](size_t tensor) {
    const Tensor& found = *graph.tensors[tensor];
    return found.section || found.constant ? 0 : aligned(found.size_bytes());
  };
  uint64_t live = 0;
  uint64_t peak = 0;
  for (const size_t index : sorted) {
    const Node& node = graph.nodes[index];
    for (const size_t output : node.outputs) {
      if (output != kNoTensor) live += bytes(output);
    }
    peak = std::max(peak, live);
    for (const size_t output : node.outputs) {
      if (output != kNoTensor && uses[output] == 0) live -= bytes(output);
    }
    for (const size_t input : node.inputs) {
      if (input != kNoTensor && --uses[input] == 0) live -= bytes(input);
    }
  }
  return peak;
}

}  // namespace

std::shared_ptr<const Recipe> compile(const Graph& graph, const std::string& name, uint64_t seed) {
  require(!graph.nodes.empty(), kFail, rule::kOperands, "the graph has no nodes");
  check_tensors(graph);
  check_nodes(graph);
  const NodeOrder order(graph, seed);
  const SharedMemory shared(graph, order);
  shared.check();

  auto recipe = std::make_shared<Recipe>();
  recipe->name = name;
  recipe->device_type = graph.device_type;
  recipe->workspace_bytes = peak_bytes(graph, order.sorted());
  for (const auto& tensor : graph.tensors) {
    recipe->tensors.push_back({.name = tensor->name,
                               .section = tensor->section,
                               .offset = tensor->offset,
                               .type = tensor->type,
                               .sizes = tensor->sizes.value_or(Sizes()),
                               .constant = tensor->constant,
                               .produced = tensor->producer.has_value(),
                               .consumed = shared.consumed(*tensor),
                               .reads_earlier_content = shared.reads_earlier_content(*tensor),
                               .replaces_content = shared.replaces_content(*tensor)});
  }
  for (const size_t node : order.sorted()) recipe->nodes.push_back(graph.nodes[node]);
  return recipe;
}

}  // namespace bertha::standin
