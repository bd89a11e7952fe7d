#pragma once

// The sum of a flat gradient buffer over the micro-batches and the ranks of a step. A backward pass
// adds to the buffer; this class decides when and in which order its values are summed.

#include <cstdint>
#include <optional>
#include <vector>

#include "comm/communicator.h"
#include "comm/gradient_tree.h"
#include "core/device.h"
#include "core/tensor.h"

namespace bertha::comm {

class GradientReducer {
 public:
  /// Under ReduceOptions::fixed_order, `micro_batches` calls of fold() are a step (GradientTree; on
  /// the CPU alone). `partition` (ranks + 1 bounds, elements) makes reduce() a reduce-scatter;
  /// empty: an all-reduce. `device` and `world` must outlive the reducer.
  GradientReducer(Device& device, const Tensor& gradients, int64_t micro_batches,
                  const ReduceOptions& options, Communicator& world,
                  std::vector<int64_t> partition = {});

  /// Must follow every backward pass, but for one that gradients_final() watched.
  void fold();

  /// True when the last backward pass of a step may call gradients_final().
  bool overlaps() const {
    return world_.ranks() > 1 && partition_.empty() && world_.overlaps_segments();
  }
  /// During the last backward pass: gradients from the element `from` to the end have their last
  /// value. Starts the all-reduce of those that fill buckets; the rest waits for the next call.
  void gradients_final(int64_t from);
  /// Must follow that backward pass. A device that replays a recorded pass makes no calls of
  /// gradients_final(): it starts the all-reduces that it recorded.
  void end_overlap();

  /// After the last micro-batch: the buffer becomes the sum over ranks, of this rank's partition
  /// where there is one. Waits for the device. Does nothing on one rank.
  void reduce();

 private:
  Device& device_;
  Tensor gradients_;
  ReduceOptions options_;
  Communicator& world_;
  std::vector<int64_t> partition_;
  std::optional<GradientTree> tree_;
  int64_t not_started_;  ///< gradients before this element have no all-reduce under way
};

}  // namespace bertha::comm
