#pragma once

#include <cstdint>
#include <vector>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha::comm {

/// Sums a rank's micro-batches incrementally as the tree of pairwise.h. Needs the memory of
/// log2(accumulation) gradients and at most one addition of a gradient per micro-batch. For devices
/// in host memory.
class GradientTree {
 public:
  GradientTree(Device& device, int64_t flat_size, int64_t accumulation);

  /// Call it after every micro-batch; fold_last() may replace the call after the last one of a
  /// step. `gradients` holds the sum since the last call that emptied it. After the last
  /// micro-batch of a step it holds the sum of all.
  void fold(Device& device, InOut gradients);
  /// Adds the last micro-batch piece by piece; `piece` begins at element `offset`. Call reset()
  /// after the last piece.
  void fold_last(InOut piece, int64_t offset);
  /// Drops the sums of a skipped step.
  void reset() { seen_ = 0; }

 private:
  int64_t accumulation_;
  int64_t run_;  ///< micro-batches summed left to right in each leaf of the tree
  int64_t seen_ = 0;
  std::vector<Buffer> levels_;
};

}  // namespace bertha::comm
