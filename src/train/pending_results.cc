#include "train/pending_results.h"

#include "core/error.h"

namespace bertha::train {

PendingResults::PendingResults(Device& device, int64_t capacity, int64_t width)
    : device_(device),
      capacity_(capacity),
      width_(width),
      buffer_(device.allocate(capacity * width * size_of(DType::kF32))) {}

void PendingResults::add(const Tensor& values, int64_t column) {
  BERTHA_CHECK(!full() && column + values.size() <= width_);
  const int64_t element = rows_ * width_ + column;
  device_.copy(values,
               out(Tensor(&buffer_, element * size_of(DType::kF32), DType::kF32, values.shape())));
}

std::span<const float> PendingResults::take() {
  values_.resize(static_cast<size_t>(rows_ * width_));
  rows_ = 0;
  if (!values_.empty()) {
    device_.read(Tensor(&buffer_, 0, DType::kF32, {std::ssize(values_)}), values_.data());
  }
  return values_;
}

}  // namespace bertha::train
