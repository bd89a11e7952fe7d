#include "bert/int8_parameters.h"

#include <span>

#include "core/error.h"
#include "ops/kernels.h"

namespace bertha::bert {
namespace {

void check_sizes(const ParameterTable& table) {
  for (const int index : encoder_matrices(table)) {
    const Shape& shape = table[index].shape;
    if (shape[0] % ops::kInt8PanelChannels == 0 && shape[1] % ops::kInt8PanelChannels == 0 &&
        shape[1] <= ops::kInt8MostInputs) {
      continue;
    }
    fail("int8: {} is {}; the kernels take multiples of {} up to {}. Use fp32 or bf16",
         table[index].name, shape.to_string(), ops::kInt8PanelChannels, ops::kInt8MostInputs);
  }
}

}  // namespace

std::vector<int> encoder_matrices(const ParameterTable& table) {
  std::vector<int> matrices;
  for (const LayerIndices& i : table.indices().layers) {
    for (const int index : {i.query_weight, i.key_weight, i.value_weight, i.output_weight,
                            i.intermediate_weight, i.down_weight}) {
      matrices.push_back(index);
    }
  }
  return matrices;
}

Int8Parameters::Int8Parameters(Device& device, const ParameterTable& table, DType compute)
    : device_(device), table_(table), places_(table.parameters().size()) {
  if (ops::kernels_of(device).support(ops::Int8Linear::kName, compute) == ops::Support::kAbsent) {
    fail("int8: {} has no kernel for products of 8-bit integers; use fp32 or bf16",
         device.description());
  }
  check_sizes(table);
  int64_t bytes = 0;
  for (const LayerIndices& i : table.indices().layers) {
    bytes = place({i.query_weight, i.key_weight, i.value_weight}, bytes);
    bytes = place({i.output_weight}, bytes);
    bytes = place({i.intermediate_weight}, bytes);
    bytes = place({i.down_weight}, bytes);
  }
  buffer_ = device.allocate(bytes);
  for (ops::Int8Weight& product : products_) {
    for (Tensor* tensor : {&product.packed, &product.scales, &product.sums}) {
      *tensor = Tensor(&buffer_, tensor->offset_bytes(), tensor->dtype(), tensor->shape());
    }
  }
}

int64_t Int8Parameters::place(std::initializer_list<int> parameters, int64_t offset_bytes) {
  const int64_t inputs = table_[*parameters.begin()].shape[1];
  int64_t channels = 0;
  for (const int index : parameters) {
    places_[static_cast<size_t>(index)] = {.product = static_cast<int>(products_.size()),
                                           .first_channel = channels};
    channels += table_[index].shape[0];
  }
  const auto next = [&](DType dtype, const Shape& shape) {
    const Tensor without_memory(nullptr, offset_bytes, dtype, shape);
    offset_bytes = align_up(offset_bytes + without_memory.size_bytes());
    return without_memory;
  };
  products_.push_back({.packed = next(DType::kI8, ops::int8_packed_shape(channels, inputs)),
                       .scales = next(DType::kF32, {channels}),
                       .sums = next(DType::kI32, {channels})});
  return offset_bytes;
}

const ops::Int8Weight& Int8Parameters::weight(int index) const {
  const Place& place = places_[static_cast<size_t>(index)];
  BERTHA_CHECK(place.product >= 0 && place.first_channel == 0, "{}", table_[index].name);
  return products_[static_cast<size_t>(place.product)];
}

Int8Parameters::Part Int8Parameters::part(int index) const {
  const Place& place = places_[static_cast<size_t>(index)];
  BERTHA_CHECK(place.product >= 0, "{}", table_[index].name);
  const ops::Int8Weight& product = products_[static_cast<size_t>(place.product)];
  const int64_t channels = table_[index].shape[0];
  return {.packed = product.packed.rows(place.first_channel / ops::kInt8PanelChannels,
                                        channels / ops::kInt8PanelChannels),
          .scales = product.scales.rows(place.first_channel, channels),
          .sums = product.sums.rows(place.first_channel, channels)};
}

void Int8Parameters::write(int index, const float* values) {
  const Parameter& parameter = table_[index];
  std::vector<int8_t> integers(static_cast<size_t>(parameter.size()));
  std::vector<float> scales(static_cast<size_t>(parameter.shape[0]));
  const ops::Int8Channels quantized = {.integers = integers, .scales = scales};
  const int64_t wrong = ops::quantize_channels(std::span(values, integers.size()), quantized);
  BERTHA_CHECK(wrong < 0, "{}: row {} is not finite", parameter.name, wrong);
  write(index, quantized);
}

void Int8Parameters::write(int index, const ops::Int8Channels& from) {
  const Part to = part(index);
  std::vector<int8_t> packed(static_cast<size_t>(to.packed.size()));
  std::vector<int32_t> sums(from.scales.size());
  ops::pack_int8(from.integers, std::ssize(from.scales), packed, sums);
  device_.write(out(to.packed), packed.data());
  device_.write(out(to.scales), from.scales.data());
  device_.write(out(to.sums), sums.data());
}

void Int8Parameters::read(int index, float* values) const {
  const Part from = part(index);
  const Parameter& parameter = table_[index];
  std::vector<int8_t> packed(static_cast<size_t>(from.packed.size()));
  std::vector<float> scales(static_cast<size_t>(parameter.shape[0]));
  device_.read(from.packed, packed.data());
  device_.read(from.scales, scales.data());
  std::vector<int8_t> integers(static_cast<size_t>(parameter.size()));
  ops::unpack_int8(packed, parameter.shape[0], integers);
  ops::dequantize_channels(integers, scales, std::span(values, integers.size()));
}

Tensor Int8Parameters::flat() const {
  return Tensor(&buffer_, 0, DType::kF32, {buffer_.size_bytes() / size_of(DType::kF32)});
}

}  // namespace bertha::bert
