#include "infer/rank_batches.h"

#include <algorithm>
#include <vector>

namespace bertha::infer {
namespace {

/// A round of batches, one a rank, and where each one's result lies in the results of all.
struct Round {
  explicit Round(int64_t ranks)
      : batches(static_cast<size_t>(ranks)), bounds(static_cast<size_t>(ranks) + 1) {}

  void fill(const Predictor& predictor, const RankBatches& work, int64_t begin, int64_t count) {
    for (size_t i = 0; i < batches.size(); ++i) {
      batches[i].clear();
      if (static_cast<int64_t>(i) < count) work.fill(begin + static_cast<int64_t>(i), batches[i]);
      bounds[i + 1] = bounds[i] + predictor.result_size(batches[i]);
    }
  }
  std::span<const float> part(const std::vector<float>& all, size_t i) const {
    return std::span<const float>(all).subspan(static_cast<size_t>(bounds[i]),
                                               static_cast<size_t>(bounds[i + 1] - bounds[i]));
  }

  std::vector<RaggedBatch> batches;
  std::vector<int64_t> bounds;
};

}  // namespace

void predict_batches(Predictor& predictor, const RankBatches& work, comm::Communicator& world) {
  const int64_t ranks = world.ranks();
  Round round(ranks);
  std::vector<float> all;
  for (int64_t begin = 0; begin < work.batches; begin += ranks) {
    const int64_t count = std::min(ranks, work.batches - begin);
    round.fill(predictor, work, begin, count);
    std::span<const float> mine;
    if (world.rank() < count) {
      mine = predictor.run(round.batches[static_cast<size_t>(world.rank())]);
    }
    all.resize(world.leads() ? static_cast<size_t>(round.bounds.back()) : 0);
    world.gather(mine, all, round.bounds, comm::Stage::kMetrics);
    for (int64_t i = 0; i < count && world.leads(); ++i) {
      const auto at = static_cast<size_t>(i);
      work.use(begin + i, round.batches[at], round.part(all, at));
    }
  }
}

}  // namespace bertha::infer
