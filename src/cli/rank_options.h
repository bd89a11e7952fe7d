#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "cli/device_choice.h"
#include "cli/options.h"
#include "comm/communicator.h"

namespace bertha::cli {

/// Options of the commands that train on many ranks.
struct RankOptions {
  bool deterministic = false;
  bool zero = false;  ///< ZeRO-1
  std::string allreduce_dtype = "fp32";
  double watchdog_seconds = 60;
  int64_t weight_check_interval = 100;

  void declare(Options& options);
  /// How gradients are summed over ranks.
  comm::ReduceOptions sums() const;
  /// Copies the options to a run's own: `sums`, `zero` and `weight_check_interval`.
  template <typename RunOptions>
  void settle(RunOptions& run) const {
    run.sums = sums();
    run.zero = zero;
    run.weight_check_interval = weight_check_interval;
  }
};

/// Joins the ranks that mpirun started (without mpirun: one rank), runs `body` and leaves the job
/// together with them. With several ranks, an exception of `body` is logged here with rank and host
/// and ends all ranks; ranks other than 0 log errors only. Signals that ask the program to end set
/// `stop`.
int on_all_ranks(const RankOptions& options, const std::atomic<bool>& stop,
                 const std::function<int(comm::Communicator&)>& body);

/// A rank's device, and the world that sums tensors on it.
struct RankDevice {
  std::unique_ptr<Device> device;
  std::unique_ptr<comm::Communicator> device_world;  ///< null when the host's world sums them
  comm::Communicator* world = nullptr;
};

/// Opens the chosen device for training on the ranks of `world`, which must outlive it. Each rank
/// of a host takes a GPU of its own. Throws Error when gradients on the device cannot be
/// all-reduced.
RankDevice open_on_rank(const DeviceChoice& choice, comm::Communicator& world);

/// Threads for work that all ranks do at the same time: OMP_NUM_THREADS where it is set, else the
/// cores that this rank may run on, divided by the ranks of its host that may run on the same
/// cores.
int64_t threads_beside(comm::Communicator& world);

/// Prints a line on standard output and flushes it, so that a pipe gets each log record at once.
void print_line(const std::string& line);

}  // namespace bertha::cli
