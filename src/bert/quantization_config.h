#pragma once

// "quantization_config" of config.json. The one scheme that is read and written is int-quantized of
// the package compressed-tensors: 8-bit integers, symmetric, with a scale for each output channel
// (or one for all), and activations that are quantised as they come.

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "io/json_key_table.h"

namespace bertha::bert {

/// The scheme's name in messages.
inline constexpr std::string_view kInt8Scheme = "compressed-tensors int-quantized";

/// Throws Error that names the key for a scheme that is not supported.
void check_quantization_config(const io::JsonField& field);

/// The object for weights of this scheme. `ignored` are the linear modules that stay wide.
nlohmann::json quantization_config_json(std::span<const std::string> ignored);

}  // namespace bertha::bert
