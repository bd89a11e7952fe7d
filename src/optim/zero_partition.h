#pragma once

// How ZeRO-1 (Rajbhandari et al. 2020) shares the optimizer's work out between ranks: rank r keeps
// the moments of, and updates, one run of the flat buffers. Cuts lie between the blocks of the
// optimizer's norms (ops/optimizer.h), so that norms have the same bits as without shares.

#include <cstdint>
#include <span>
#include <vector>

#include "ops/optimizer.h"

namespace bertha::optim {

struct ZeroPartition {
  /// Of each rank, in elements of the flat buffers and in norm blocks of all spans; one entry more
  /// than ranks.
  std::vector<int64_t> bounds;
  std::vector<int64_t> block_bounds;
  /// This rank's own.
  int64_t begin = 0;
  int64_t size = 0;
  /// What of each parameter lies in it, offsets counted from `begin`.
  std::vector<ops::ParameterSpan> spans;
  /// Which parameters those are: the first block of each, and their number, among all blocks.
  struct Blocks {
    int64_t first = 0;
    int64_t count = 0;
  };
  std::vector<Blocks> whole;
};

/// As even as blocks allow; more ranks than blocks leave some with nothing. `spans` in order of
/// offset.
ZeroPartition partition(std::span<const ops::ParameterSpan> spans, int64_t flat_size, int64_t ranks,
                        int64_t rank);

}  // namespace bertha::optim
