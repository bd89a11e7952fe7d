#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/weights/tensor_source.h"

namespace bertha::io {

/// Of the finite elements of a tensor, and how many are not finite.
struct TensorStatistics {
  double norm = 0;  ///< square root of the sum of squares
  float least = 0;
  float most = 0;
  int64_t nan = 0;
  int64_t infinite = 0;
};

TensorStatistics tensor_statistics(std::span<const float> values);

/// The elements of a tensor of `source` as f32. Throws Error when it is damaged.
std::vector<float> read_values(const TensorSource& source, const TensorInfo& info);

}  // namespace bertha::io
