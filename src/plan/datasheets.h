#pragma once

#include <cstdint>
#include <string_view>

namespace bertha::plan {

/// What the maker says of a GPU, without sparsity; and what usually connects several.
struct Datasheet {
  std::string_view name;
  double memory_gb;
  double bf16_tflops;  ///< of the tensor cores
  double fp32_tflops;  ///< outside the tensor cores
  double gbytes_per_s;
  std::string_view within;   ///< link between GPUs of a node, as cost_model.h names it
  std::string_view network;  ///< link between nodes, as cost_model.h names it
  int64_t network_cards;     ///< of a node
};

/// Throws Error, listing the names, where no GPU has this one.
const Datasheet& find_datasheet(std::string_view name);

}  // namespace bertha::plan
