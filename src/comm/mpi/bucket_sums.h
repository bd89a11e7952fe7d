#pragma once

// Sums of buckets over ranks that go on while this rank computes. A bucket goes one of two ways:
// MPI's own sum; or, where the order of additions or bf16 on the wire matters, each rank sums a
// share of it in the order of pairwise.h and gives it to all, which moves the bytes of a ring.

#include <mpi.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "comm/mpi/exchange.h"

namespace bertha::comm {

class BucketSums {
 public:
  explicit BucketSums(MPI_Comm world);
  BucketSums(const BucketSums&) = delete;
  BucketSums& operator=(const BucketSums&) = delete;
  ~BucketSums();

  /// Begins a bucket; waits for the oldest when kUnderWay are under way.
  void begin(std::span<float> values, const ReduceOptions& options);
  /// Takes every bucket as far as it goes without waiting.
  void advance();
  /// Waits for the oldest `count`; all by default.
  void finish(int64_t count = kUnderWay);
  bool idle() const { return finished_ == begun_; }
  bool full() const { return begun_ - finished_ == kUnderWay; }

  /// This rank's share becomes the sum over ranks; waits.
  void scatter(std::span<float> values, std::span<const int64_t> bounds,
               const ReduceOptions& options);

 private:
  static constexpr int64_t kUnderWay = 32;
  enum class Phase : uint8_t { kScatter, kGather, kDone };
  struct Bucket {
    std::span<float> values;
    bool rounded = false;
    bool by_library = false;
    Phase phase = Phase::kDone;
    Exchange exchange;
    std::vector<float> pieces;  ///< every rank's version of this rank's share
    std::vector<uint16_t> narrow;
    std::vector<uint16_t> narrow_pieces;
    MPI_Request request = MPI_REQUEST_NULL;
  };
  Bucket& bucket(int64_t number) { return buckets_[static_cast<size_t>(number % kUnderWay)]; }
  void begin_scatter(Bucket& bucket);
  float* sum_share(Bucket& bucket);
  void begin_gather(Bucket& bucket);
  void end(Bucket& bucket) const;
  /// Moves a bucket whose request is complete to its next phase.
  void step(int64_t number);

  // All ranks must begin collectives of one communicator in the same order. Scatters follow the
  // calls; gathers begin when scatters are complete, in the order of buckets, on their own.
  MPI_Comm scatters_ = MPI_COMM_NULL;
  MPI_Comm gathers_ = MPI_COMM_NULL;
  int rank_ = 0;
  int ranks_ = 1;
  std::array<Bucket, kUnderWay> buckets_;
  int64_t begun_ = 0;
  int64_t gathering_ = 0;  ///< buckets before it have begun their gather
  int64_t finished_ = 0;
};

}  // namespace bertha::comm
