#pragma once

// The watchdog: a thread of each rank says "alive, and here" twice a second and takes in what
// others say; a second thread ends the job when a rank falls silent or all wait for each other. A
// stopped process is noticed by no launcher (a dead one is). Beats go to rank 0, which sees all;
// the others watch rank 0. The thread that judges calls MPI for nothing but the end: when a host
// has gone, Open MPI may keep the one that talks for ever (it waits for its daemon to take a
// warning).

#include <mpi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "comm/rank_monitor.h"

namespace bertha::comm {

/// Where the main thread is; written by it, read by the watchdog.
struct Activity {
  std::atomic<int64_t> step{0};
  std::atomic<int64_t> waits{0};
  std::atomic<Stage> stage{Stage::kStart};
  std::atomic<bool> waits_now{false};
};

class Heartbeat {
 public:
  /// `communicator` is this thread's own, with MPI_THREAD_MULTIPLE.
  Heartbeat(MPI_Comm communicator, const std::vector<std::string>& hosts,
            const WorldSettings& settings, const Activity& activity);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  /// Tells the others that this rank leaves in order, and waits until they leave too.
  ~Heartbeat();

  /// What release() calls.
  void on_abort(std::function<void()> release);
  /// Before this process ends out of order, on any thread.
  void release();

 private:
  /// One message under way in each direction with a rank.
  struct Peer {
    int rank = 0;
    Beat sent;
    Beat received;
    MPI_Request sending = MPI_REQUEST_NULL;
    MPI_Request receiving = MPI_REQUEST_NULL;
    bool told_of_leaving = false;
  };

  void talk();
  void judge();
  bool take_and_tell(double now, bool leaving, bool due);
  void receive(Peer& peer, double now);
  void send(Peer& peer, bool leaving);
  bool parted(Peer& peer);
  std::optional<std::string> verdict(double now);
  [[noreturn]] void end(const std::string& line);
  Beat beat(bool leaving) const;

  MPI_Comm communicator_;
  const WorldSettings& settings_;
  const Activity& activity_;
  int rank_ = 0;
  std::atomic<double> talked_;  ///< when the thread that talks last came round
  std::mutex monitor_mutex_;
  RankMonitor monitor_;
  std::vector<Peer> peers_;  ///< of the thread that talks
  std::atomic<bool> leaving_{false};
  std::atomic<bool> left_{false};
  std::mutex release_mutex_;
  std::function<void()> release_;
  std::thread talking_;
  std::thread judging_;
};

}  // namespace bertha::comm
