#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bertha::comm {

/// Arguments of MPI_Alltoallv and MPI_Allgatherv for partitions of a flat buffer.
struct Exchange {
  std::vector<int> begin;         ///< start of each rank's partition
  std::vector<int> counts;        ///< number of values in each rank's partition
  std::vector<int> mine;          ///< number of values of this rank's partition, once per rank
  std::vector<int> mine_offsets;  ///< where each rank's values of this rank's partition are stored

  /// For the partitions [bounds[r], bounds[r + 1]).
  void of_partitions(std::span<const int64_t> bounds, int rank);
  /// For `size` values in even partitions.
  void of_even_partitions(int64_t size, int ranks, int rank);
  /// For the elements [from, to) of each partition of `bounds`, as far as they exist.
  void of_slices(std::span<const int64_t> bounds, int rank, int64_t from, int64_t to);

 private:
  void receive(int rank);
};

}  // namespace bertha::comm
