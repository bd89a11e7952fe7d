#include "io/weights/tensor_statistics.h"

#include <algorithm>
#include <cmath>

namespace bertha::io {

TensorStatistics tensor_statistics(std::span<const float> values) {
  TensorStatistics result;
  double square = 0;
  bool first = true;
  for (const float value : values) {
    if (std::isnan(value)) {
      ++result.nan;
    } else if (std::isinf(value)) {
      ++result.infinite;
    } else {
      square += static_cast<double>(value) * static_cast<double>(value);
      result.least = first ? value : std::min(result.least, value);
      result.most = first ? value : std::max(result.most, value);
      first = false;
    }
  }
  result.norm = std::sqrt(square);
  return result;
}

std::vector<float> read_values(const TensorSource& source, const TensorInfo& info) {
  const TensorData data = source.read(info.name);
  std::vector<float> values(static_cast<size_t>(data.size()));
  convert_to_f32(data, values);
  return values;
}

}  // namespace bertha::io
