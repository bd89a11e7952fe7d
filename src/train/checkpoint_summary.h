#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "train/checkpoint.h"

namespace bertha::train {

/// What a training checkpoint says of its run.
struct CheckpointSummary {
  using Number = std::variant<int64_t, double, bool>;

  CheckpointState state;
  /// Settings of the optimizer's first parameter group that are numbers.
  std::vector<std::pair<std::string, Number>> optimizer;
};

/// Nothing for a file that has no optimizer: plain weights, or another format. Throws Error for a
/// checkpoint that is damaged.
std::optional<CheckpointSummary> summarize_checkpoint(const std::string& path);

}  // namespace bertha::train
