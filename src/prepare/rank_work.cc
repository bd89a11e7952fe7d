#include "prepare/rank_work.h"

namespace bertha::prepare {

std::vector<size_t> round_robin_indices(size_t count, const comm::Communicator& world) {
  std::vector<size_t> indices;
  const auto ranks = static_cast<size_t>(world.ranks());
  for (auto i = static_cast<size_t>(world.rank()); i < count; i += ranks) indices.push_back(i);
  return indices;
}

void all_reduce_counts(comm::Communicator& world, std::initializer_list<int64_t*> counts) {
  world.wait_for_all(comm::Stage::kBarrier);  // the ranks may be hours apart
  std::vector<double> sums;
  for (const int64_t* count : counts) sums.push_back(static_cast<double>(*count));
  world.all_reduce(sums, comm::Stage::kMetrics);
  size_t next = 0;
  for (int64_t* count : counts) *count = static_cast<int64_t>(sums[next++]);
}

}  // namespace bertha::prepare
