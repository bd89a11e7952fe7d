#include "ops/int8_weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/error.h"
#include "core/parallel_for.h"

namespace bertha::ops {
namespace {

/// Bytes of four inputs of a panel.
constexpr int64_t kGroupBytes = 4 * kInt8PanelChannels;

/// Position of a weight within its panel.
int64_t place_in_panel(int64_t lane, int64_t input) {
  return input / 4 * kGroupBytes + lane * 4 + input % 4;
}

/// Quantises one channel; false where it holds a value that is not finite.
bool quantize_channel(std::span<const float> w, std::span<int8_t> integers, float& scale) {
  float largest = 0;
  bool finite = true;
  for (const float value : w) {
    largest = std::max(largest, std::abs(value));
    finite = finite && std::isfinite(value);
  }
  if (!finite) return false;
  // A channel below the smallest normal scale counts as zeros: its quotients would overflow.
  scale = largest / kInt8Largest;
  if (!std::isnormal(scale)) scale = 1;
  for (size_t k = 0; k < w.size(); ++k) {
    const float rounded = std::nearbyint(w[k] / scale);
    integers[k] =
        static_cast<int8_t>(std::clamp<float>(rounded, -float{kInt8Largest}, float{kInt8Largest}));
  }
  return true;
}

}  // namespace

Shape int8_packed_shape(int64_t channels, int64_t inputs) {
  BERTHA_CHECK(channels % kInt8PanelChannels == 0, "{} channels", channels);
  BERTHA_CHECK(inputs <= kInt8MostInputs, "{} inputs", inputs);
  return {channels / kInt8PanelChannels, int8_depth(inputs) / 4, kInt8PanelChannels, 4};
}

int64_t quantize_channels(std::span<const float> w, const Int8Channels& to) {
  const auto channels = std::ssize(to.scales);
  const size_t inputs = w.size() / to.scales.size();
  std::atomic<int64_t> first_wrong{channels};
  parallel_for(channels, 16, [&](int64_t n) {
    const size_t at = static_cast<size_t>(n) * inputs;
    if (quantize_channel(w.subspan(at, inputs), to.integers.subspan(at, inputs),
                         to.scales[static_cast<size_t>(n)])) {
      return;
    }
    int64_t seen = first_wrong;
    while (n < seen && !first_wrong.compare_exchange_weak(seen, n)) {
    }
  });
  return first_wrong < channels ? first_wrong.load() : -1;
}

void dequantize_channels(std::span<const int8_t> integers, std::span<const float> scales,
                         std::span<float> w) {
  const size_t inputs = w.size() / scales.size();
  parallel_for(std::ssize(scales), 16, [&](int64_t n) {
    const size_t at = static_cast<size_t>(n) * inputs;
    for (size_t i = at; i < at + inputs; ++i) {
      w[i] = scales[static_cast<size_t>(n)] * static_cast<float>(integers[i]);
    }
  });
}

void pack_int8(std::span<const int8_t> integers, int64_t channels, std::span<int8_t> packed,
               std::span<int32_t> sums) {
  const int64_t inputs = std::ssize(integers) / channels;
  const int64_t panel_bytes = int8_depth(inputs) * kInt8PanelChannels;
  BERTHA_CHECK(std::ssize(packed) == channels / kInt8PanelChannels * panel_bytes);
  parallel_for(channels / kInt8PanelChannels, 1, [&](int64_t panel) {
    int8_t* const to = packed.data() + panel * panel_bytes;
    std::fill_n(to, panel_bytes, int8_t{0});
    for (int64_t lane = 0; lane < kInt8PanelChannels; ++lane) {
      const int64_t channel = panel * kInt8PanelChannels + lane;
      const int8_t* const from = integers.data() + channel * inputs;
      int32_t sum = 0;
      for (int64_t k = 0; k < inputs; ++k) {
        to[place_in_panel(lane, k)] = from[k];
        sum += from[k];
      }
      sums[static_cast<size_t>(channel)] = sum;
    }
  });
}

void unpack_int8(std::span<const int8_t> packed, int64_t channels, std::span<int8_t> integers) {
  const int64_t inputs = std::ssize(integers) / channels;
  const int64_t panel_bytes = int8_depth(inputs) * kInt8PanelChannels;
  parallel_for(channels, kInt8PanelChannels, [&](int64_t channel) {
    const int8_t* const from = packed.data() + channel / kInt8PanelChannels * panel_bytes;
    int8_t* const to = integers.data() + channel * inputs;
    for (int64_t k = 0; k < inputs; ++k) {
      to[k] = from[place_in_panel(channel % kInt8PanelChannels, k)];
    }
  });
}

}  // namespace bertha::ops
