#pragma once

// ZeRO-1 (Rajbhandari et al. 2020) partitions the optimizer's state and work over ranks: rank r
// keeps the moments of one contiguous range of the flat buffers and updates the weights in it. The
// ranges end between the blocks of the optimizer's norms (ops/optimizer_steps.h), so that norms
// have the same bits as without a partition.

#include <cstdint>
#include <span>
#include <vector>

#include "ops/optimizer_steps.h"

namespace bertha::optim {

struct ZeroPartition {
  /// Rank r has the elements [bounds[r], bounds[r + 1]) of the flat buffers, and of the norm blocks
  /// of all spans those in [block_bounds[r], block_bounds[r + 1]).
  std::vector<int64_t> bounds;
  std::vector<int64_t> block_bounds;
  /// This rank's range, in elements.
  int64_t begin = 0;
  int64_t size = 0;
  /// The parts of parameters in that range; offsets count from `begin`.
  std::vector<ops::ParameterSpan> spans;
  /// For each of `spans`, the norm blocks of the whole parameter, numbered over all parameters.
  struct Blocks {
    int64_t first = 0;
    int64_t count = 0;
  };
  std::vector<Blocks> whole;
};

/// Ranges as equal as the blocks allow. With more ranks than blocks, some ranges are empty. `spans`
/// in order of offset; `flat_size` in elements.
ZeroPartition partition(std::span<const ops::ParameterSpan> spans, int64_t flat_size, int64_t ranks,
                        int64_t rank);

}  // namespace bertha::optim
