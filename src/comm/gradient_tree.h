#pragma once

#include <cstdint>
#include <vector>

#include "core/device.h"
#include "core/tensor.h"

namespace bertha::comm {

/// Sums a rank's micro-batches as the tree of pairwise.h, as they come: the memory of
/// log2(accumulation) gradients, one addition of a gradient a micro-batch at most. For the CPU.
class GradientTree {
 public:
  GradientTree(Device& device, int64_t flat_size, int64_t accumulation);

  /// Must follow every micro-batch, but for the last of a step where fold_last() takes its place.
  /// `gradients` holds the sum since the last call that emptied it;
  /// after the last micro-batch of a step it holds the sum of all.
  void fold(Device& device, InOut gradients);
  /// The last micro-batch piece by piece, `piece` beginning at the element `offset`; reset() must
  /// follow the last piece.
  void fold_last(InOut piece, int64_t offset);
  /// Forgets a step that was dropped.
  void reset() { seen_ = 0; }

 private:
  int64_t accumulation_;
  int64_t run_;  ///< micro-batches summed left to right at the tree's foot
  int64_t seen_ = 0;
  std::vector<Buffer> levels_;
};

}  // namespace bertha::comm
