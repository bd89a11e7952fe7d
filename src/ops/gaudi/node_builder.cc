#include "ops/gaudi/node_builder.h"

#include <algorithm>
#include <cstring>

#include "backend/gaudi/synapse_abi.h"
#include "core/error.h"

namespace bertha::ops {
namespace {

namespace abi = gaudi::abi;

Sizes broadcast(const Value& a, const Value& b) {
  Sizes sizes(std::max(a.sizes.size(), b.sizes.size()), 1);
  for (size_t i = 0; i < sizes.size(); ++i) {
    const int64_t of_a = i < a.sizes.size() ? a.sizes[i] : 1;
    const int64_t of_b = i < b.sizes.size() ? b.sizes[i] : 1;
    BERTHA_CHECK(of_a == of_b || of_a == 1 || of_b == 1, "{} and {}", gaudi::to_string(a.sizes),
                 gaudi::to_string(b.sizes));
    sizes[i] = std::max(of_a, of_b);
  }
  return sizes;
}

}  // namespace

std::string kernel_name(const char* kernel, ElementType type) {
  return fmt::format("{}_{}", kernel, gaudi::suffix(type));
}

void NodeBuilder::write(const Tensor& tensor, const Value& value) const {
  recorder_.write(tensor, cast(value, gaudi::layout_of(tensor.dtype()).type));
}

void NodeBuilder::add_to(const Tensor& tensor, const Value& value) const {
  const Value sum = add(f32(read(tensor, value.sizes)), f32(value));
  write(tensor, sum);
}

Value NodeBuilder::unary(const char* kernel, const Value& x) const {
  return recorder_.node(kernel_name(kernel, x.type), {x}, {{x.type, x.sizes}}).front();
}

Value NodeBuilder::binary(const char* kernel, const Value& a, const Value& b) const {
  BERTHA_CHECK(a.type == b.type, "{} of {} and {}", kernel, gaudi::suffix(a.type),
               gaudi::suffix(b.type));
  return recorder_.node(kernel_name(kernel, a.type), {a, b}, {{a.type, broadcast(a, b)}}).front();
}

Value NodeBuilder::compare(const char* kernel, const Value& a, const Value& b) const {
  BERTHA_CHECK(a.type == b.type, "{} of {} and {}", kernel, gaudi::suffix(a.type),
               gaudi::suffix(b.type));
  return recorder_.node(kernel_name(kernel, a.type), {a, b}, {{ElementType::kI8, broadcast(a, b)}})
      .front();
}

Value NodeBuilder::where(const Value& condition, const Value& a, const Value& b) const {
  BERTHA_CHECK(a.type == b.type);
  const Value of_values{.id = -1, .type = a.type, .sizes = broadcast(a, b)};
  return recorder_
      .node(kernel_name("where_fwd", a.type), {condition, a, b},
            {{a.type, broadcast(condition, of_values)}})
      .front();
}

Value NodeBuilder::cast(const Value& x, ElementType type) const {
  if (x.type == type) return x;
  // Operations on bf16 compute in f32, so a value is often cast to and fro in one. Another
  // operation casts it again: kept until the backward pass, f32 masks would take more than all
  // activations.
  const std::string name =
      fmt::format("cast {} {} in {}", x.id, gaudi::suffix(type), recorder_.op_number());
  if (Value known = recorder_.recall(name); !known.empty()) return known;
  const std::string guid = fmt::format("cast_{}_to_{}", gaudi::suffix(x.type), gaudi::suffix(type));
  Value made =
      recorder_.node(guid, {x}, {{type, x.sizes}}, abi::CastParameters{.rounding = 0}).front();
  recorder_.remember(name, made);
  return made;
}

Value NodeBuilder::transpose(const Value& x, std::initializer_list<uint32_t> permutation) const {
  abi::TransposeParameters parameters{};
  std::ranges::copy(permutation, parameters.permutation);
  parameters.rank = static_cast<uint32_t>(permutation.size());
  Sizes sizes;
  for (const uint32_t from : permutation) sizes.push_back(x.sizes[from]);
  return recorder_.node("transpose", {x}, {{x.type, sizes}}, parameters).front();
}

Value NodeBuilder::constant(float value) const {
  const std::string name = fmt::format("constant {:a}", value);
  if (Value known = recorder_.recall(name); !known.empty()) return known;
  Value made = recorder_
                   .node("constant_f32", {}, {{ElementType::kF32, {1}}},
                         abi::ConstantParameters{.value = value})
                   .front();
  recorder_.remember(name, made);
  return made;
}

Value NodeBuilder::zeros(ElementType type, const Sizes& sizes) const {
  return recorder_.node("memset", {}, {{type, sizes}}).front();
}

Value NodeBuilder::counting(const Sizes& sizes) const {
  const auto fill = [](gaudi::HostBytes /*sources*/, std::span<std::byte> operand) {
    for (size_t i = 0; i < operand.size() / sizeof(int32_t); ++i) {
      const auto number = static_cast<int32_t>(i);
      std::memcpy(operand.data() + i * sizeof(number), &number, sizeof(number));
    }
  };
  const std::string name = fmt::format("counting {}", gaudi::to_string(sizes));
  return recorder_.host_input(name, {ElementType::kI32, sizes}, {}, fill);
}

Value NodeBuilder::reduce_sum(const Value& x, int dimension) const {
  Sizes sizes = x.sizes;
  sizes[static_cast<size_t>(dimension)] = 1;
  return recorder_
      .node(kernel_name("reduce_sum_fwd", x.type), {x}, {{x.type, sizes}},
            abi::DimensionParameters{.dimension = dimension})
      .front();
}

Value NodeBuilder::sum(const Value& x) const {
  Value part = x;
  for (size_t i = 0; i < x.sizes.size(); ++i) {
    if (part.sizes[i] != 1) part = reduce_sum(part, static_cast<int>(i));
  }
  return reshape(part, {1});
}

Value NodeBuilder::along(const char* kernel, const Value& x, int dimension) const {
  return recorder_
      .node(kernel_name(kernel, x.type), {x}, {{x.type, x.sizes}},
            abi::DimensionParameters{.dimension = dimension})
      .front();
}

Value NodeBuilder::softmax_backward(const Value& y, const Value& d_y, int dimension) const {
  return recorder_
      .node(kernel_name("softmax_bwd", y.type), {y, d_y}, {{y.type, y.sizes}},
            abi::DimensionParameters{.dimension = dimension})
      .front();
}

Value NodeBuilder::product(const char* guid, const Value& a, const Value& b, Transposed transposed,
                           ElementType type) const {
  Sizes sizes = a.sizes;
  sizes[0] = b.sizes[transposed.b ? 1 : 0];
  sizes[1] = a.sizes[transposed.a ? 0 : 1];
  BERTHA_CHECK(a.sizes[transposed.a ? 1 : 0] == b.sizes[transposed.b ? 0 : 1], "{} of {} and {}",
               guid, gaudi::to_string(a.sizes), gaudi::to_string(b.sizes));
  const abi::GemmParameters parameters{.transpose_a = transposed.a, .transpose_b = transposed.b};
  return recorder_.node(guid, {a, b}, {{type, sizes}}, parameters).front();
}

Value NodeBuilder::gemm(const Value& a, const Value& b, Transposed transposed,
                        ElementType type) const {
  return product("gemm", a, b, transposed, type);
}

Value NodeBuilder::batch_gemm(const Value& a, const Value& b, Transposed transposed,
                              ElementType type) const {
  return product("batch_gemm", a, b, transposed, type);
}

Value NodeBuilder::gather(const Value& x, const Value& ids) const {
  return recorder_
      .node(kernel_name("gather_fwd", x.type), {x, ids}, {{x.type, {x.sizes[0], ids.sizes[0]}}},
            abi::DimensionParameters{.dimension = 1})
      .front();
}

}  // namespace bertha::ops
