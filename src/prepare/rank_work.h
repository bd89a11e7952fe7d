#pragma once

// How the ranks divide the files of a stage, and how their counts become one.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "comm/communicator.h"

namespace bertha::prepare {

/// The indices in [0, count) that are assigned to this rank, round-robin: rank, rank + ranks,
/// rank + 2 * ranks, …
std::vector<size_t> round_robin_indices(size_t count, const comm::Communicator& world);

/// Replaces each count by its sum over all ranks. Waits for all ranks. Counts and sums must be
/// below 2^53.
void all_reduce_counts(comm::Communicator& world, std::initializer_list<int64_t*> counts);

}  // namespace bertha::prepare
