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
  /// How gradients are summed. Throws Error for an unknown type.
  comm::ReduceOptions sums() const;
  /// Copies the options to a run's own: `sums`, `zero` and `weight_check_interval`.
  template <typename RunOptions>
  void settle(RunOptions& run) const {
    run.sums = sums();
    run.zero = zero;
    run.weight_check_interval = weight_check_interval;
  }
};

/// Joins the ranks that mpirun started (or is alone), runs `body` and leaves with the others. On
/// many ranks an exception of `body` is printed here, with rank and host, and ends all of them.
/// Ranks other than 0 log errors alone. `stop` is set by the signals of a request to end.
int on_all_ranks(const RankOptions& options, const std::atomic<bool>& stop,
                 const std::function<int(comm::Communicator&)>& body);

/// A rank's device, and the world in which what lies on it is summed.
struct RankDevice {
  std::unique_ptr<Device> device;
  std::unique_ptr<comm::Communicator> cards;  ///< null where the host's world will do
  comm::Communicator* world = nullptr;
};

/// The device chosen, for training on the ranks of `world`, which must outlive it: a card for each
/// rank of a host. Throws Error where its gradients cannot be summed between ranks.
RankDevice open_on_rank(const DeviceChoice& choice, comm::Communicator& world);

/// Threads for work that all ranks do at once: OMP_NUM_THREADS where it is set, else a part of the
/// cores that this rank may run on, when others of its host may run on the same.
int64_t threads_beside(comm::Communicator& world);

/// A record of the log at a time, which reaches a file or a pipe at once too.
void print_line(const std::string& line);

}  // namespace bertha::cli
