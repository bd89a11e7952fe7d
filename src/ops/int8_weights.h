#pragma once

// Weights of a product as 8-bit integers, symmetric with a scale for each output channel:
// w[n][k] ~ scale[n] q[n][k], scale[n] = max |w[n]| / 127, q rounded to nearest even
// (Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference", 2.4).
// N channels (rows of w), K inputs.
//
// Kernels read the integers packed: panels of 16 channels, in each the inputs four by four,
// [N/16, D/4, 16, 4]. Four inputs of 16 channels are the 64 bytes that one VNNI instruction takes,
// and 64 inputs of 16 channels are one AMX tile, so one layout serves all processors. The depth D
// is K rounded up to a multiple of 64; what was added is 0.

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace bertha::ops {

inline constexpr int64_t kInt8PanelChannels = 16;
inline constexpr int64_t kInt8DepthMultiple = 64;
inline constexpr int kInt8Largest = 127;
/// Past this depth a sum of products of u8 and s8 could leave int32.
inline constexpr int64_t kInt8MostInputs = 65536;

/// The depth D of K inputs.
constexpr int64_t int8_depth(int64_t inputs) {
  return align_up(inputs, kInt8DepthMultiple);
}
/// The shape of packed weights. Channels must be a multiple of kInt8PanelChannels.
Shape int8_packed_shape(int64_t channels, int64_t inputs);

/// Weights that were quantised, as files hold them.
struct Int8Channels {
  std::span<int8_t> integers;  ///< [N,K]
  std::span<float> scales;     ///< [N]
};

/// Quantises w [N,K]. A channel of zeros gets the scale 1. Returns the first channel that holds NaN
/// or infinity, which has no scale, or -1.
int64_t quantize_channels(std::span<const float> w, const Int8Channels& to);
/// w [N,K] = scales integers.
void dequantize_channels(std::span<const int8_t> integers, std::span<const float> scales,
                         std::span<float> w);

/// Packs integers [N,K]; sums[n] = Σ_k integers[n][k].
void pack_int8(std::span<const int8_t> integers, int64_t channels, std::span<int8_t> packed,
               std::span<int32_t> sums);
/// The inverse: integers [N,K] from packed ones.
void unpack_int8(std::span<const int8_t> packed, int64_t channels, std::span<int8_t> integers);

}  // namespace bertha::ops
