#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bertha::comm {

/// What MPI_Alltoallv and MPI_Allgatherv want to know of shares of something flat.
struct Exchange {
  std::vector<int> begin;         ///< where each rank's share begins
  std::vector<int> counts;        ///< its values
  std::vector<int> mine;          ///< values of this rank's share, for each rank
  std::vector<int> mine_offsets;  ///< where each rank's version of it is put

  /// Of the shares [bounds[r], bounds[r + 1]).
  void of_shares(std::span<const int64_t> bounds, int rank);
  /// Of `size` values shared out evenly.
  void of_even_shares(int64_t size, int ranks, int rank);
  /// Of the elements [from, to) of each share of `bounds`, as far as it has them.
  void of_slices(std::span<const int64_t> bounds, int rank, int64_t from, int64_t to);

 private:
  void receive(int rank);
};

}  // namespace bertha::comm
