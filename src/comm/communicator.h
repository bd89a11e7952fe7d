#pragma once

// The ranks of a job, as a training step uses them: rank numbers, all-reduce, broadcast, and the
// agreement to stop. A process without a launcher is a world of one rank, in which every call is
// valid and does nothing. mpi/ has the world that mpirun makes.
//
// All ranks make the same calls in the same order. A call with a Stage may wait for the others. An
// all-reduce leaves the same bits on every rank.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace bertha::comm {

/// What a rank is doing. The message about a failed rank reports it.
enum class Stage : uint8_t {
  kStart,      ///< loading, and agreeing on where to begin
  kCompute,    ///< forward and backward passes, updates
  kVote,       ///< agreeing on whether to stop
  kMetrics,    ///< all-reduce of losses
  kGradients,  ///< all-reduce of gradients
  kWeights,    ///< weights from rank 0, or compared over ranks
  kSave,       ///< a checkpoint
  kBarrier,    ///< waiting for all
  kEnd         ///< leaving
};
const char* name_of(Stage stage);

struct ReduceOptions {
  DType wire_dtype =
      DType::kF32;  ///< kBF16: values are rounded for the transfer, sums are computed in f32
  /// Sum in an order that depends only on the number of ranks (pairwise.h), not on the library.
  bool fixed_order = false;
  int64_t bucket_elements = int64_t{8} << 20;  ///< values in flight at once: 32 MiB of f32
};

struct WorldSettings {
  double silence_seconds = 60;  ///< a rank without a heartbeat for this time ends the job
  /// Receives the message that names the failed rank, before the process ends. Called on another
  /// thread.
  std::function<void(const std::string&)> on_failure;
  /// Returns true once this process was asked to stop. A silent rank is then considered dead
  /// sooner, because the launcher signals the surviving ranks when one has died.
  std::function<bool()> stopping;
};

class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  /// Waits for all ranks, then leaves the world.
  virtual ~Communicator() = default;

  virtual int64_t rank() const { return 0; }
  virtual int64_t ranks() const { return 1; }
  /// Number of this rank among the ranks of its host; selects its GPU.
  virtual int64_t local_rank() const { return 0; }
  /// The name of a rank's host.
  virtual std::string host(int64_t rank) const;
  bool leads() const { return rank() == 0; }

  /// Copies rank 0's bytes to every rank. The size is the same on all ranks.
  virtual void broadcast(std::span<std::byte> /*data*/, Stage /*stage*/) {}
  /// Sums over ranks, added in order of rank.
  virtual void all_reduce(std::span<double> /*values*/, Stage /*stage*/) {}
  /// One value from each rank, in order of rank.
  virtual std::vector<uint64_t> all_gather(uint64_t value, Stage stage);
  virtual void barrier(Stage /*stage*/) {}
  /// A barrier for long waits. It leaves the core to other work and may return some milliseconds
  /// late.
  virtual void wait_for_all(Stage /*stage*/) {}

  /// Whether all_reduce_async() may be called while a segment of the device is recorded or runs.
  virtual bool overlaps_segments() const { return true; }
  /// The best number of elements to all-reduce at a time, at most that of `options`.
  virtual int64_t bucket_elements(const ReduceOptions& options) const {
    return options.bucket_elements;
  }
  /// Starts the all-reduce of a piece of a flat f32 tensor in place; nothing may use its values
  /// before wait_all_reduces(). All ranks start the same pieces in the same order. Where
  /// overlaps_segments(), also between the layers of a backward pass.
  virtual void all_reduce_async(InOut /*piece*/, const ReduceOptions& /*options*/) {}
  /// Lets this thread work on the pending all-reduces. Does not wait.
  virtual void progress_all_reduces() {}
  /// Waits for all started all-reduces.
  virtual void wait_all_reduces() {}
  /// Sums a flat f32 tensor over ranks, in place.
  void all_reduce(InOut gradients, const ReduceOptions& options);

  // Partitions of a flat tensor: rank r has the elements [bounds[r], bounds[r + 1]). `bounds` has
  // ranks() + 1 entries and is the same on all ranks.

  /// This rank's partition becomes the sum over ranks, in the order of pairwise.h. The contents of
  /// the other partitions are undefined afterwards.
  virtual void reduce_scatter(InOut /*values*/, std::span<const int64_t> /*bounds*/,
                              const ReduceOptions& /*options*/) {}
  /// Copies every rank's own partition of a flat f32 tensor to all ranks, in place.
  virtual void all_gather(InOut /*values*/, std::span<const int64_t> /*bounds*/, Stage /*stage*/) {}
  /// The same for a few values in host memory.
  virtual void all_gather(std::span<double> /*values*/, std::span<const int64_t> /*bounds*/,
                          Stage /*stage*/) {}
  /// Copies every rank's partition `mine` into `all` on rank 0, in host memory. Other ranks pass an
  /// empty `all`.
  virtual void gather(std::span<const float> mine, std::span<float> all,
                      std::span<const int64_t> bounds, Stage stage);

  /// States whether this rank wants to stop. Does not wait.
  virtual void vote(bool stop) { stop_ = stop; }
  /// True on all ranks if any rank wanted to stop at the last vote().
  virtual bool stop_agreed() { return stop_; }

  /// Sets the step and stage that a failure message reports for this rank.
  virtual void at(int64_t /*step*/, Stage /*stage*/) {}

  /// Ends the processes of all ranks without waiting for them.
  [[noreturn]] virtual void abort(int status);
  /// `release` is called before the process ends by abort() or by the watchdog, on the thread that
  /// ends it. The NCCL world uses it to abort pending collectives. Empty: nothing to release.
  virtual void on_abort(const std::function<void()>& /*release*/) {}

  /// Rank 0's text, on every rank. The text of the other ranks is ignored.
  std::string broadcast_text(const std::string& text, Stage stage);
  /// Copies rank 0's elements of a flat tensor to every rank, through host memory.
  void broadcast_tensor(Device& device, InOut tensor, Stage stage);

 private:
  bool stop_ = false;
};

/// The world in which this process was launched: MPI's when a launcher (mpirun, mpiexec, srun
/// --mpi) started it with others, else a world of one rank. Throws Error when it was launched with
/// others and MPI cannot be used. May be called once per process.
std::unique_ptr<Communicator> join_world(const WorldSettings& settings);

/// A world of this process only.
Communicator& alone();

}  // namespace bertha::comm
