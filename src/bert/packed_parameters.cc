#include "bert/packed_parameters.h"

#include <algorithm>
#include <span>

#include "core/error.h"
#include "ops/kernels.h"
#include "ops/weight_panels.h"

namespace bertha::bert {
namespace {

/// Calls body(values) with host memory for the elements of `tensor`, as its dtype has them.
template <typename Body>
void with_host_elements(const Tensor& tensor, const Body& body) {
  const auto size = static_cast<size_t>(tensor.size());
  if (tensor.dtype() == DType::kF32) {
    body(std::vector<float>(size));
  } else {
    body(std::vector<BFloat16>(size));
  }
}

}  // namespace

PackedParameters::PackedParameters(Device& device, const ParameterTable& table, DType compute)
    : EncoderProducts(device, table),
      panel_channels_(std::max<int64_t>(1, ops::kernels_of(device).panel_channels(compute))) {
  const int64_t of_word = ops::inputs_of_word(compute);
  const bool whole_words =
      std::ranges::all_of(sizes(), [&](const Size& size) { return size.inputs % of_word == 0; });
  if (!whole_words) panel_channels_ = 1;
  int64_t bytes = 0;
  std::vector<Tensor*> views;
  products_.reserve(sizes().size());
  for (const auto& [channels, inputs] : sizes()) {
    const Shape shape = panel_channels_ == 1
                            ? Shape{channels, inputs}
                            : ops::panel_shape(compute, channels, inputs, panel_channels_);
    products_.emplace_back(nullptr, bytes, compute, shape);
    views.push_back(&products_.back());
    bytes += align_up(products_.back().size_bytes());
  }
  allocate(bytes, views);
}

/// The panels in which the channels of a parameter lie.
Tensor PackedParameters::part(int index) const {
  const auto& [product, first] = place(index);
  const int64_t begin = first / panel_channels_;
  const int64_t end = (first + table()[index].shape[0] + panel_channels_ - 1) / panel_channels_;
  return products_[static_cast<size_t>(product)].rows(begin, end - begin);
}

void PackedParameters::write(int index, const float* values) {
  const Parameter& parameter = table()[index];
  const ops::PanelChannels channels = {.first = place(index).first_channel % panel_channels_,
                                       .inputs = parameter.shape[1]};
  const Tensor to = part(index);
  with_host_elements(to, [&](auto elements) {
    // The first and last panel may hold channels of other parameters, too.
    device().read(to, elements.data());
    ops::write_panels(std::span(values, static_cast<size_t>(parameter.size())), channels,
                      panel_channels_, std::span(elements));
    device().write(out(to), elements.data());
  });
}

void PackedParameters::read(int index, float* values) const {
  const Parameter& parameter = table()[index];
  const ops::PanelChannels channels = {.first = place(index).first_channel % panel_channels_,
                                       .inputs = parameter.shape[1]};
  const Tensor from = part(index);
  with_host_elements(from, [&](auto elements) {
    device().read(from, elements.data());
    ops::read_panels(std::span(std::as_const(elements)), channels, panel_channels_,
                     std::span(values, static_cast<size_t>(parameter.size())));
  });
}

}  // namespace bertha::bert
