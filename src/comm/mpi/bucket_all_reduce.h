#pragma once

// All-reduces of buckets that progress while this rank computes. A bucket uses MPI's own
// all-reduce; or, where the order of additions or bf16 transfers matter, each rank sums one
// partition of it in the order of pairwise.h and sends the result to all, which moves as many bytes
// as a ring.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "comm/mpi/exchange.h"
#include "comm/mpi/mpi_plugin.h"

namespace bertha::comm {

class BucketAllReduce {
 public:
  explicit BucketAllReduce(BerthaMpiComm world);
  BucketAllReduce(const BucketAllReduce&) = delete;
  BucketAllReduce& operator=(const BucketAllReduce&) = delete;
  ~BucketAllReduce();

  /// Starts a bucket. Waits for the oldest when kMostInFlight are in flight.
  void begin(std::span<float> values, const ReduceOptions& options);
  /// Advances every bucket as far as possible without waiting.
  void advance();
  /// Waits for the oldest `count` buckets; by default for all.
  void finish(int64_t count = kMostInFlight);
  bool idle() const { return finished_ == begun_; }
  bool full() const { return begun_ - finished_ == kMostInFlight; }

  /// Reduces this rank's partition over all ranks; waits for the result.
  void scatter(std::span<float> values, std::span<const int64_t> bounds,
               const ReduceOptions& options);

 private:
  static constexpr int64_t kMostInFlight = 32;
  enum class Phase : uint8_t { kScatter, kGather, kDone };
  struct Bucket {
    std::span<float> values;
    bool rounded = false;
    bool by_library = false;
    Phase phase = Phase::kDone;
    Exchange exchange;
    std::vector<float> pieces;  ///< every rank's values of this rank's partition
    std::vector<uint16_t> narrow;
    std::vector<uint16_t> narrow_pieces;
    BerthaMpiRequest request = 0;
  };
  Bucket& bucket(int64_t number) { return buckets_[static_cast<size_t>(number % kMostInFlight)]; }
  void begin_scatter(Bucket& bucket);
  float* sum_partition(Bucket& bucket);
  void begin_gather(Bucket& bucket);
  void end(Bucket& bucket) const;
  /// Moves a bucket whose request is complete to its next phase.
  void step(int64_t number);

  // All ranks must start the collectives of one communicator in the same order. Scatters start in
  // the order of the calls. Gathers start when scatters are complete, in the order of buckets, on a
  // communicator of their own.
  BerthaMpiComm scatters_ = 0;
  BerthaMpiComm gathers_ = 0;
  int rank_ = 0;
  int ranks_ = 1;
  std::array<Bucket, kMostInFlight> buckets_;
  int64_t begun_ = 0;
  int64_t gathering_ = 0;  ///< first bucket whose gather has not started
  int64_t finished_ = 0;
};

}  // namespace bertha::comm
