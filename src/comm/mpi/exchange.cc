#include "comm/mpi/exchange.h"

#include <algorithm>

#include "comm/mpi/status.h"

namespace bertha::comm {

void Exchange::of_partitions(std::span<const int64_t> bounds, int rank) {
  of_slices(bounds, rank, 0, bounds.back() - bounds.front());
}

void Exchange::of_even_partitions(int64_t size, int ranks, int rank) {
  begin.clear();
  counts.clear();
  for (int64_t r = 0; r < ranks; ++r) {
    begin.push_back(mpi_count(size * r / ranks));
    counts.push_back(mpi_count(size * (r + 1) / ranks) - begin.back());
  }
  receive(rank);
}

void Exchange::of_slices(std::span<const int64_t> bounds, int rank, int64_t from, int64_t to) {
  begin.clear();
  counts.clear();
  for (size_t r = 0; r + 1 < bounds.size(); ++r) {
    const int64_t size = bounds[r + 1] - bounds[r];
    begin.push_back(mpi_count(bounds[r] + std::min(from, size)));
    counts.push_back(mpi_count(std::min(to, size) - std::min(from, size)));
  }
  receive(rank);
}

void Exchange::receive(int rank) {
  const int size = counts[static_cast<size_t>(rank)];
  mine.assign(counts.size(), size);
  mine_offsets.clear();
  for (int r = 0; r < static_cast<int>(counts.size()); ++r) mine_offsets.push_back(r * size);
}

}  // namespace bertha::comm
