#include "comm/mpi/bucket_all_reduce.h"

#include <algorithm>
#include <bit>

#include "comm/mpi/mpi_library.h"
#include "comm/mpi/status.h"
#include "comm/pairwise.h"
#include "core/dtype.h"
#include "core/error.h"

namespace bertha::comm {
namespace {

void check(int status) {
  check_mpi(status, name_of(Stage::kGradients));
}

uint16_t narrowed(float value) {
  return BFloat16::round(value);
}

float widened(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

}  // namespace

BucketAllReduce::BucketAllReduce(BerthaMpiComm world) {
  check(mpi().comm_dup(world, &scatters_));
  check(mpi().comm_dup(world, &gathers_));
  rank_ = mpi().comm_rank(world);
  ranks_ = mpi().comm_size(world);
}

BucketAllReduce::~BucketAllReduce() {
  mpi().comm_free(&scatters_);
  mpi().comm_free(&gathers_);
}

void BucketAllReduce::begin(std::span<float> values, const ReduceOptions& options) {
  if (full()) finish(1);
  Bucket& next = bucket(begun_++);
  next.values = values;
  next.rounded = options.wire_dtype == DType::kBF16;
  next.by_library = !next.rounded && !options.fixed_order;
  next.phase = Phase::kScatter;
  if (next.by_library) {
    check(mpi().iallreduce(nullptr, values.data(), mpi_count(std::ssize(values)), BERTHA_MPI_FLOAT,
                           BERTHA_MPI_SUM, scatters_, &next.request));
  } else {
    next.exchange.of_even_partitions(std::ssize(values), ranks_, rank_);
    begin_scatter(next);
  }
  advance();
}

void BucketAllReduce::begin_scatter(Bucket& bucket) {
  const Exchange& plan = bucket.exchange;
  const auto pieces = static_cast<size_t>(plan.mine[0]) * static_cast<size_t>(ranks_);
  bucket.pieces.resize(pieces);
  if (!bucket.rounded) {
    check(mpi().ialltoallv(bucket.values.data(), plan.counts.data(), plan.begin.data(),
                           bucket.pieces.data(), plan.mine.data(), plan.mine_offsets.data(),
                           BERTHA_MPI_FLOAT, scatters_, &bucket.request));
    return;
  }
  bucket.narrow.resize(bucket.values.size());
  bucket.narrow_pieces.resize(pieces);
  std::ranges::transform(bucket.values, bucket.narrow.begin(), narrowed);
  check(mpi().ialltoallv(bucket.narrow.data(), plan.counts.data(), plan.begin.data(),
                         bucket.narrow_pieces.data(), plan.mine.data(), plan.mine_offsets.data(),
                         BERTHA_MPI_UINT16, scatters_, &bucket.request));
}

/// Sums this rank's partition in f32.
float* BucketAllReduce::sum_partition(Bucket& bucket) {
  if (bucket.rounded) {
    std::ranges::transform(bucket.narrow_pieces, bucket.pieces.begin(), widened);
  }
  sum_by_tree(bucket.pieces.data(), ranks_, bucket.exchange.mine[0]);
  return bucket.pieces.data();
}

void BucketAllReduce::begin_gather(Bucket& bucket) {
  const Exchange& plan = bucket.exchange;
  const float* const share = sum_partition(bucket);
  const int at = plan.begin[static_cast<size_t>(rank_)];
  if (bucket.rounded) {
    std::transform(share, share + plan.mine[0], bucket.narrow.data() + at, narrowed);
    check(mpi().iallgatherv(bucket.narrow.data(), plan.counts.data(), plan.begin.data(),
                            BERTHA_MPI_UINT16, gathers_, &bucket.request));
    return;
  }
  std::copy_n(share, plan.mine[0], bucket.values.data() + at);
  check(mpi().iallgatherv(bucket.values.data(), plan.counts.data(), plan.begin.data(),
                          BERTHA_MPI_FLOAT, gathers_, &bucket.request));
}

void BucketAllReduce::end(Bucket& bucket) const {
  if (bucket.rounded) std::ranges::transform(bucket.narrow, bucket.values.begin(), widened);
  bucket.phase = Phase::kDone;
}

void BucketAllReduce::step(int64_t number) {
  Bucket& now = bucket(number);
  if (now.phase == Phase::kScatter && !now.by_library) {
    begin_gather(now);
    now.phase = Phase::kGather;
    return;
  }
  end(now);
}

void BucketAllReduce::advance() {
  for (int64_t number = finished_; number < begun_; ++number) {
    Bucket& now = bucket(number);
    // A scatter that completes early waits for the scatters before it.
    if (now.phase == Phase::kScatter && number != gathering_) continue;
    if (now.phase == Phase::kDone) continue;
    int done = 0;
    check(mpi().test(&now.request, &done));
    if (done == 0) continue;
    if (now.phase == Phase::kScatter) ++gathering_;
    step(number);
  }
  while (finished_ < begun_ && bucket(finished_).phase == Phase::kDone) ++finished_;
}

void BucketAllReduce::finish(int64_t count) {
  const int64_t last = std::min(begun_, finished_ + count);
  while (finished_ < last) {
    Bucket& oldest = bucket(finished_);
    if (oldest.phase != Phase::kDone) {
      check(mpi().wait(&oldest.request));
      if (oldest.phase == Phase::kScatter) ++gathering_;
      step(finished_);
    }
    advance();
  }
}

void BucketAllReduce::scatter(std::span<float> values, std::span<const int64_t> bounds,
                              const ReduceOptions& options) {
  BERTHA_CHECK(idle(), "all-reduces are in flight");
  int64_t longest = 0;
  for (size_t r = 0; r + 1 < bounds.size(); ++r) {
    longest = std::max(longest, bounds[r + 1] - bounds[r]);
  }
  const int64_t slice = std::max<int64_t>(1, options.bucket_elements / ranks_);
  Bucket& only = bucket(begun_);
  only.values = values;
  only.rounded = options.wire_dtype == DType::kBF16;
  for (int64_t from = 0; from < longest; from += slice) {
    only.exchange.of_slices(bounds, rank_, from, from + slice);
    begin_scatter(only);
    check(mpi().wait(&only.request));
    std::copy_n(sum_partition(only), only.exchange.mine[0],
                values.data() + only.exchange.begin[static_cast<size_t>(rank_)]);
  }
}

}  // namespace bertha::comm
