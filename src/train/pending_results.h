#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha::train {

/// Results of micro-batches (losses, norms) that stay on the device until the host asks for them,
/// so that it can prepare the next batch while this one computes. A segment of the device writes
/// its results always to the same place, so that it can be replayed; add() queues a copy of them.
class PendingResults {
 public:
  /// Holds `capacity` rows of `width` values, f32 [capacity, width].
  PendingResults(Device& device, int64_t capacity, int64_t width);

  bool full() const { return rows_ == capacity_; }
  /// Queues a copy of `values` (f32) to the columns from `column` of the row that is being filled.
  void add(const Tensor& values, int64_t column);
  void end_row() { ++rows_; }
  /// The ended rows [rows, width], in order; then there are none. Waits for the device. Valid until
  /// the next call.
  std::span<const float> take();

 private:
  Device& device_;
  int64_t capacity_;
  int64_t width_;
  int64_t rows_ = 0;
  Buffer buffer_;
  std::vector<float> values_;
};

}  // namespace bertha::train
