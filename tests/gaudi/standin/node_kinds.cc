#include "gaudi/standin/node_kinds.h"

#include <algorithm>

#include "gaudi/standin/settings.h"

namespace bertha::standin {
namespace {

const NodeKinds& all_kinds() {
  // Never destroyed: threads of streams may run until the process ends.
  static const NodeKinds& kinds = []() -> const NodeKinds& {
    NodeKinds& all = *new NodeKinds;
    add_matrix_kinds(all);
    add_elementwise_kinds(all);
    add_reduction_kinds(all);
    add_shape_kinds(all);
    add_normalization_kinds(all);
    add_activation_kinds(all);
    add_dropout_kinds(all);
    add_loss_kinds(all);
    add_lookup_kinds(all);
    add_attention_kinds(all);
    return all;
  }();
  return kinds;
}

[[noreturn]] void refuse_guid(const Call& call, std::string_view why) {
  refuse(kFail, rule::kGuid, "node \"{}\": the GUID {} {}", call.node, call.guid, why);
}

void check_ranks(const Call& call, size_t most) {
  for (const auto* operands : {&call.inputs, &call.outputs}) {
    for (const Operand& operand : *operands) {
      require(operand.rank() <= most, kFail, rule::kRank,
              "node \"{}\" ({}) has an operand of the sizes {}: at most {} dimensions", call.node,
              call.guid, to_text(operand.sizes), most);
    }
  }
}

void expect_type(const Call& call, const Operand& operand, std::string_view side, size_t i,
                 DataType type) {
  call.expect(operand.type == type, "{} {} is {}: expected {}", side, i, type_name(operand.type),
              type_name(type));
}

void expect_sizes(const Call& call, const Operand& operand, std::string_view side, size_t i,
                  const Sizes& sizes) {
  call.expect(operand.sizes == sizes, "{} {} has the sizes {}: expected {}", side, i,
              to_text(operand.sizes), to_text(sizes));
}

void expect_count(const Call& call, const std::vector<Operand>& operands, std::string_view side,
                  size_t required, size_t most) {
  call.expect(operands.size() >= required && operands.size() <= most,
              "there are {} {}s: expected {} to {}", operands.size(), side, required, most);
  for (size_t i = 0; i < required; ++i) {
    call.expect(operands[i].present, "{} {} is null", side, i);
  }
}

}  // namespace

void Call::expect_inputs(size_t required, size_t most) const {
  expect_count(*this, inputs, "input", required, most);
}

void Call::expect_outputs(size_t required, size_t most) const {
  expect_count(*this, outputs, "output", required, most);
}

void Call::expect_input_type(size_t i, DataType wanted) const {
  expect_type(*this, inputs[i], "input", i, wanted);
}

void Call::expect_output_type(size_t i, DataType wanted) const {
  expect_type(*this, outputs[i], "output", i, wanted);
}

void Call::expect_input(size_t i, DataType wanted, const Sizes& sizes) const {
  expect_input_type(i, wanted);
  expect_sizes(*this, inputs[i], "input", i, sizes);
}

void Call::expect_output(size_t i, DataType wanted, const Sizes& sizes) const {
  expect_output_type(i, wanted);
  expect_sizes(*this, outputs[i], "output", i, sizes);
}

void Call::expect_float() const {
  expect(is_float(type), "there is no kernel of the type {}", type_name(type));
}

void Call::expect_parameters(std::initializer_list<size_t> sizes_in_bytes) const {
  if (std::ranges::find(sizes_in_bytes, parameters.size()) != sizes_in_bytes.end()) return;
  std::string expected;
  for (const size_t size : sizes_in_bytes) {
    expected += (expected.empty() ? "" : " or ") + std::to_string(size);
  }
  refuse(kFail, rule::kParameters, "node \"{}\" ({}) has {} bytes of parameters: expected {}", node,
         guid, parameters.size(), expected);
}

const NodeKind& kind_of(Call& call) {
  const NodeKinds& kinds = all_kinds();
  std::string base = call.guid;
  auto kind = kinds.find(base);
  if (kind == kinds.end() || kind->second.has_suffix) {
    if (kind != kinds.end()) refuse_guid(call, "lacks the suffix of its type");
    const size_t underscore = base.rfind('_');
    if (underscore != std::string::npos) {
      call.type = type_of_name(std::string_view(base).substr(underscore + 1));
    }
    if (call.type == kNoType) refuse_guid(call, "is unknown");
    base.resize(underscore);
    kind = kinds.find(base);
    if (kind == kinds.end()) refuse_guid(call, "is unknown");
    if (!kind->second.has_suffix) refuse_guid(call, "has a suffix, which this GUID does not take");
  }
  const std::set<std::string>& absent = settings().absent_guids;
  if (absent.contains(base) || absent.contains(call.guid)) refuse_guid(call, "is unknown");
  return kind->second;
}

void check_node(Call& call) {
  const NodeKind& kind = kind_of(call);
  check_ranks(call, kind.maximum_rank);
  kind.check(call);
}

void run_node(Call& call) {
  for (Operand& output : call.outputs) output.data.assign(count_of(output.sizes), 0);
  kind_of(call).run(call);
  for (Operand& output : call.outputs) {
    if (!output.present) continue;
    for (double& element : output.data) element = rounded_to(output.type, element);
  }
}

}  // namespace bertha::standin
