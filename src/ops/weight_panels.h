#pragma once

// Weights of a product in the order in which a device's kernels read them: panels of P channels,
// and in a panel, along the depth, the inputs of all its channels side by side. N channels (rows of
// w), K inputs.
//
// Inputs travel in words of 32 bits, so two bf16 inputs of a channel lie next to each other: f32
// panels are [⌈N/P⌉, K, P, 1], bf16 ones [⌈N/P⌉, K/2, P, 2]. Channels that the last panel has in
// excess are 0. Panels of one channel are w itself, and take any number of inputs. Which P a device
// reads, Kernels::panel_channels() says.

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace bertha::ops {

/// Inputs in a word: 1 for f32, 2 for bf16.
inline int64_t inputs_of_word(DType dtype) {
  return static_cast<int64_t>(sizeof(uint32_t)) / size_of(dtype);
}

/// The shape of panels. `inputs` must be a multiple of inputs_of_word(dtype).
Shape panel_shape(DType dtype, int64_t channels, int64_t inputs, int64_t panel_channels);

/// Channels of a product from `first` on: w [N,K] without the channels around them.
struct PanelChannels {
  int64_t first;   ///< counted from the first channel of the first panel
  int64_t inputs;  ///< K
};

/// Writes values [n,K] as n channels into `panels`, elements of whole panels of P channels. E is
/// float, or BFloat16, to which values are rounded to nearest even.
template <typename E>
void write_panels(std::span<const float> values, const PanelChannels& channels,
                  int64_t panel_channels, std::span<E> panels);
/// The inverse: values [n,K] from n channels of `panels`.
template <typename E>
void read_panels(std::span<const E> panels, const PanelChannels& channels, int64_t panel_channels,
                 std::span<float> values);

}  // namespace bertha::ops
