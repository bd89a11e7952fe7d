#pragma once

// The ranks of a job, as a step of training sees them: who am I, sums over all, one rank's data to
// all, an agreement on stopping. One process without a launcher is a world of one rank, in which
// every call is valid and does nothing. mpi/ holds the world that mpirun makes.
//
// Every rank makes the same calls in the same order; a call that names a Stage may wait for the
// others. Sums leave the same bits on every rank.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace bertha::comm {

/// What a rank is doing, for the line that names it when it fails.
enum class Stage : uint8_t {
  kStart,      ///< loading and agreeing on how to begin
  kCompute,    ///< forward and backward passes, updates
  kVote,       ///< agreeing on whether to stop
  kMetrics,    ///< sums of losses
  kGradients,  ///< the sum of gradients
  kWeights,    ///< weights from rank 0, or compared over ranks
  kSave,       ///< a checkpoint
  kBarrier,    ///< waiting for all
  kEnd         ///< leaving
};
const char* name_of(Stage stage);

struct ReduceOptions {
  DType wire_dtype = DType::kF32;  ///< kBF16: values are rounded on the way, sums are taken in f32
  /// Sums in an order that depends on the number of ranks alone (pairwise.h), not on the library.
  bool fixed_order = false;
  int64_t bucket_elements = int64_t{8} << 20;  ///< values under way at once: 32 MiB of f32
};

struct WorldSettings {
  double silence_seconds = 60;  ///< a rank that says nothing for so long ends the job
  /// Gets the line that says which rank failed, before the process ends. Called on another thread.
  std::function<void(const std::string&)> on_failure;
  /// True once this process was asked to stop: a silent rank is then taken for dead sooner, since
  /// the launcher signals the living when one has died.
  std::function<bool()> stopping;
};

class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  /// Waits for all ranks, then leaves.
  virtual ~Communicator() = default;

  virtual int64_t rank() const { return 0; }
  virtual int64_t ranks() const { return 1; }
  /// Number of this rank among those of its host: which card it takes.
  virtual int64_t local_rank() const { return 0; }
  /// The name of a rank's host.
  virtual std::string host(int64_t rank) const;
  bool leads() const { return rank() == 0; }

  /// Rank 0's bytes on every rank. The same size everywhere.
  virtual void broadcast(std::span<std::byte> /*data*/, Stage /*stage*/) {}
  /// Sums over ranks, in order of rank.
  virtual void all_reduce(std::span<double> /*values*/, Stage /*stage*/) {}
  /// One value of each rank, in order of rank.
  virtual std::vector<uint64_t> all_gather(uint64_t value, Stage stage);
  virtual void barrier(Stage /*stage*/) {}
  /// A barrier for long waits: the core is left to others meanwhile, and it may end late by some
  /// milliseconds.
  virtual void wait_for_all(Stage /*stage*/) {}

  /// How much of a flat tensor is best summed at a time: what `options` say at most.
  virtual int64_t bucket_elements(const ReduceOptions& options) const {
    return options.bucket_elements;
  }
  /// Begins the sum over ranks of a piece of a flat f32 tensor, in its place: its values are
  /// nobody's before wait_all_reduces(). All ranks begin the same pieces in the same order. May be
  /// called while a segment of a device is recorded or runs (between the layers of a backward
  /// pass).
  virtual void all_reduce_async(InOut /*piece*/, const ReduceOptions& /*options*/) {}
  /// Lends this thread to the sums under way; waits for nothing.
  virtual void progress_all_reduces() {}
  /// Waits for all sums begun.
  virtual void wait_all_reduces() {}
  /// Sum over ranks of a flat f32 tensor, in its place.
  void all_reduce(InOut gradients, const ReduceOptions& options);

  // ZeroPartition of something flat: rank r has the elements [bounds[r], bounds[r + 1]); bounds has
  // ranks() + 1 entries, the same everywhere.

  /// This rank's share becomes the sum over ranks, in the order of pairwise.h; what the other
  /// shares hold afterwards is of no use.
  virtual void reduce_scatter(InOut /*values*/, std::span<const int64_t> /*bounds*/,
                              const ReduceOptions& /*options*/) {}
  /// Every rank's own share of a flat f32 tensor, on every rank, in its place.
  virtual void all_gather(InOut /*values*/, std::span<const int64_t> /*bounds*/, Stage /*stage*/) {}
  /// The same for few values in host memory.
  virtual void all_gather(std::span<double> /*values*/, std::span<const int64_t> /*bounds*/,
                          Stage /*stage*/) {}
  /// Every rank's share `mine` in `all` on rank 0, in host memory; the others pass nothing for it.
  virtual void gather(std::span<const float> mine, std::span<float> all,
                      std::span<const int64_t> bounds, Stage stage);

  /// Says whether this rank wants to stop, and waits for nothing.
  virtual void vote(bool stop) { stop_ = stop; }
  /// Whether any rank wanted to stop at the last vote(), the same answer everywhere.
  virtual bool stop_agreed() { return stop_; }

  /// Where this rank is, for the line that names it.
  virtual void at(int64_t /*step*/, Stage /*stage*/) {}

  /// Ends the processes of all ranks without waiting for them.
  [[noreturn]] virtual void abort(int status);
  /// `release` is called before the process ends by abort() or by the watchdog, on whichever thread
  /// ends it: a card's library lets go there of what it waits for. Empty: nothing to release.
  virtual void on_abort(const std::function<void()>& /*release*/) {}

  /// Text of rank 0 on every rank, whatever the others passed.
  std::string broadcast_text(const std::string& text, Stage stage);
  /// Rank 0's elements of a flat tensor on every rank, through host memory.
  void broadcast_tensor(Device& device, InOut tensor, Stage stage);

 private:
  bool stop_ = false;
};

/// The world this process was launched in: MPI's when a launcher (mpirun, mpiexec, srun --mpi)
/// started it with others, else one of a single rank. Throws Error when it was launched with others
/// and this program was built without MPI. May be made once in a process.
std::unique_ptr<Communicator> join_world(const WorldSettings& settings);

/// A world of this process alone.
Communicator& alone();

}  // namespace bertha::comm
