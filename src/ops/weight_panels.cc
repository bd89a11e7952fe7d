#include "ops/weight_panels.h"

#include "core/error.h"
#include "core/parallel_for.h"

namespace bertha::ops {
namespace {

/// Channels that make a parallel range worth its start.
constexpr int64_t kGrain = 16;

/// Runs body(value, element) on the places of one channel: its index in values [n,K] and that in
/// the panels.
template <typename E, typename Body>
void for_each_input(int64_t row, const PanelChannels& channels, int64_t panel_channels,
                    const Body& body) {
  const int64_t of_word = panel_channels == 1 ? 1 : inputs_of_word(DTypeOf<E>::kValue);
  const int64_t channel = channels.first + row;
  const int64_t panel = channel / panel_channels * panel_channels * channels.inputs;
  const int64_t begin = panel + channel % panel_channels * of_word;
  const int64_t step = panel_channels * of_word;
  for (int64_t word = 0; word < channels.inputs / of_word; ++word) {
    for (int64_t i = 0; i < of_word; ++i) {
      body(static_cast<size_t>(row * channels.inputs + word * of_word + i),
           static_cast<size_t>(begin + word * step + i));
    }
  }
}

/// The number n of channels in values [n,K], which the panels must hold.
int64_t channel_count(int64_t value_count, const PanelChannels& channels, int64_t panel_channels,
                      int64_t panel_elements) {
  const int64_t count = value_count / channels.inputs;
  BERTHA_CHECK(count * channels.inputs == value_count && channels.first >= 0);
  BERTHA_CHECK(panel_elements % (panel_channels * channels.inputs) == 0 &&
                   (channels.first + count) * channels.inputs <= panel_elements,
               "channels [{}, {}) of {} inputs in {} elements", channels.first,
               channels.first + count, channels.inputs, panel_elements);
  return count;
}

}  // namespace

Shape panel_shape(DType dtype, int64_t channels, int64_t inputs, int64_t panel_channels) {
  const int64_t of_word = inputs_of_word(dtype);
  BERTHA_CHECK(inputs % of_word == 0, "{} inputs", inputs);
  return {(channels + panel_channels - 1) / panel_channels, inputs / of_word, panel_channels,
          of_word};
}

template <typename E>
void write_panels(std::span<const float> values, const PanelChannels& channels,
                  int64_t panel_channels, std::span<E> panels) {
  const int64_t count =
      channel_count(std::ssize(values), channels, panel_channels, std::ssize(panels));
  parallel_for(count, kGrain, [&](int64_t row) {
    for_each_input<E>(row, channels, panel_channels,
                      [&](size_t value, size_t element) { panels[element] = E(values[value]); });
  });
}

template <typename E>
void read_panels(std::span<const E> panels, const PanelChannels& channels, int64_t panel_channels,
                 std::span<float> values) {
  const int64_t count =
      channel_count(std::ssize(values), channels, panel_channels, std::ssize(panels));
  parallel_for(count, kGrain, [&](int64_t row) {
    for_each_input<E>(row, channels, panel_channels, [&](size_t value, size_t element) {
      values[value] = static_cast<float>(panels[element]);
    });
  });
}

template void write_panels(std::span<const float>, const PanelChannels&, int64_t, std::span<float>);
template void write_panels(std::span<const float>, const PanelChannels&, int64_t,
                           std::span<BFloat16>);
template void read_panels(std::span<const float>, const PanelChannels&, int64_t, std::span<float>);
template void read_panels(std::span<const BFloat16>, const PanelChannels&, int64_t,
                          std::span<float>);

}  // namespace bertha::ops
