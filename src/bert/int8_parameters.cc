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

Int8Parameters::Int8Parameters(Device& device, const ParameterTable& table, DType compute)
    : EncoderProducts(device, table) {
  if (ops::kernels_of(device).support(ops::Int8Linear::kName, compute) == ops::Support::kAbsent) {
    fail(
        "--precision int8: {} has no kernel for products of 8-bit integers; use --precision "
        "bf16 or fp32",
        device.description());
  }
  check_sizes(table);
  int64_t bytes = 0;
  const auto next = [&bytes](DType dtype, const Shape& shape) {
    const Tensor without_memory(nullptr, bytes, dtype, shape);
    bytes = align_up(bytes + without_memory.size_bytes());
    return without_memory;
  };
  std::vector<Tensor*> views;
  products_.reserve(sizes().size());
  for (const auto& [channels, inputs] : sizes()) {
    products_.push_back({.packed = next(DType::kI8, ops::int8_packed_shape(channels, inputs)),
                         .scales = next(DType::kF32, {channels}),
                         .sums = next(DType::kI32, {channels})});
    ops::Int8Weight& product = products_.back();
    views.insert(views.end(), {&product.packed, &product.scales, &product.sums});
  }
  allocate(bytes, views);
}

Int8Parameters::Part Int8Parameters::part(int index) const {
  const auto& [product_index, first] = place(index);
  const ops::Int8Weight& product = products_[static_cast<size_t>(product_index)];
  const int64_t channels = table()[index].shape[0];
  return {.packed = product.packed.rows(first / ops::kInt8PanelChannels,
                                        channels / ops::kInt8PanelChannels),
          .scales = product.scales.rows(first, channels),
          .sums = product.sums.rows(first, channels)};
}

void Int8Parameters::write(int index, const float* values) {
  const Parameter& parameter = table()[index];
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
  device().write(out(to.packed), packed.data());
  device().write(out(to.scales), from.scales.data());
  device().write(out(to.sums), sums.data());
}

void Int8Parameters::read(int index, float* values) const {
  const Part from = part(index);
  const Parameter& parameter = table()[index];
  std::vector<int8_t> packed(static_cast<size_t>(from.packed.size()));
  std::vector<float> scales(static_cast<size_t>(parameter.shape[0]));
  device().read(from.packed, packed.data());
  device().read(from.scales, scales.data());
  std::vector<int8_t> integers(static_cast<size_t>(parameter.size()));
  ops::unpack_int8(packed, parameter.shape[0], integers);
  ops::dequantize_channels(integers, scales, std::span(values, integers.size()));
}

}  // namespace bertha::bert
