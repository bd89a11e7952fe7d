#pragma once

// What the stand-in knows of nodes: for each GUID the rules of its operands, and its arithmetic as
// a plain reference in double. Operand orders, shapes and parameter bytes are those that the
// vendor's published graphs and its PyTorch bridge use. Shapes in comments are fastest dimension
// first.

#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gaudi/standin/refusal.h"
#include "gaudi/standin/values.h"

namespace bertha::standin {

constexpr size_t kMaximumKernelRank = 5;

struct Operand {
  bool present = false;
  DataType type = kNoType;
  Sizes sizes = {};
  std::vector<double> data = {};  ///< empty while the graph is checked

  size_t rank() const { return sizes.size(); }
};

/// A node with its operands.
struct Call {
  std::string guid;
  std::string node;
  DataType type = kNoType;  ///< of the GUID's suffix
  int32_t device_type = kGaudi2;
  std::vector<std::byte> parameters;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;

  const Operand& in(size_t i) const { return inputs[i]; }
  const Operand& out(size_t i) const { return outputs[i]; }
  std::vector<double>& result(size_t i) { return outputs[i].data; }
  bool has_input(size_t i) const { return i < inputs.size() && inputs[i].present; }
  bool has_output(size_t i) const { return i < outputs.size() && outputs[i].present; }

  template <typename T>
  T parameter(size_t offset) const {
    T value;
    std::memcpy(&value, parameters.data() + offset, sizeof(T));
    return value;
  }
  /// A bool of the parameters: one byte.
  bool flag(size_t offset) const { return parameters[offset] != std::byte{0}; }

  template <typename... Args>
  void expect(bool holds, fmt::format_string<Args...> text, Args&&... args) const {
    if (holds) return;
    refuse(kFail, rule::kOperands, "node \"{}\" ({}): {}", node, guid,
           fmt::format(text, std::forward<Args>(args)...));
  }

  /// Which operands must be there and how many there may be.
  void expect_inputs(size_t required, size_t most) const;
  void expect_outputs(size_t required, size_t most) const;
  void expect_input(size_t i, DataType type, const Sizes& sizes) const;
  void expect_output(size_t i, DataType type, const Sizes& sizes) const;
  void expect_input_type(size_t i, DataType type) const;
  void expect_output_type(size_t i, DataType type) const;
  void expect_float() const;  ///< the GUID's suffix
  void expect_parameters(std::initializer_list<size_t> sizes_in_bytes) const;
};

struct NodeKind {
  bool has_suffix = true;
  std::function<void(const Call&)> check;
  std::function<void(Call&)> run;
  size_t maximum_rank = kMaximumKernelRank;
};

using NodeKinds = std::map<std::string, NodeKind, std::less<>>;

void add_matrix_kinds(NodeKinds& kinds);
void add_elementwise_kinds(NodeKinds& kinds);
void add_reduction_kinds(NodeKinds& kinds);
void add_shape_kinds(NodeKinds& kinds);
void add_normalization_kinds(NodeKinds& kinds);
void add_activation_kinds(NodeKinds& kinds);
void add_dropout_kinds(NodeKinds& kinds);
void add_loss_kinds(NodeKinds& kinds);
void add_lookup_kinds(NodeKinds& kinds);
void add_attention_kinds(NodeKinds& kinds);

/// Looks the GUID up and sets the call's type to that of its suffix. Throws Refusal for a GUID that
/// is unknown or that BERTHA_STANDIN_WITHOUT names.
const NodeKind& kind_of(Call& call);
/// Checks the operands and the parameters by the rules of the GUID.
void check_node(Call& call);
/// Computes the outputs from the inputs and rounds them to their types.
void run_node(Call& call);

}  // namespace bertha::standin
