#pragma once

// The watchdog. In each rank, one thread sends a heartbeat twice a second and receives those of
// others. A second thread ends the job when a rank falls silent or all ranks wait for each other.
// Launchers notice a dead process but not a stopped one. Beats go to rank 0, which sees all ranks;
// the others watch rank 0. The second thread calls MPI only to end the job: when a host is lost,
// Open MPI may block the first thread for ever (it waits for its daemon to accept a warning).

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "comm/mpi/mpi_plugin.h"
#include "comm/rank_monitor.h"

namespace bertha::comm {

/// The state of the main thread, which writes it; the watchdog reads it.
struct Activity {
  std::atomic<int64_t> step{0};
  std::atomic<int64_t> waits{0};
  std::atomic<Stage> stage{Stage::kStart};
  std::atomic<bool> waits_now{false};
};

class Heartbeat {
 public:
  /// `communicator` is used by this thread only and needs an MPI that allows calls from several
  /// threads.
  Heartbeat(BerthaMpiComm communicator, const std::vector<std::string>& hosts,
            const WorldSettings& settings, const Activity& activity);
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  /// Announces to the others that this rank ends normally, and waits until they end too.
  ~Heartbeat();

  /// Sets the function that release() calls.
  void on_abort(std::function<void()> release);
  /// Called on any thread before this process ends abnormally. Waits a second at most: NCCL's abort
  /// returns only when the graphs that hold its collectives are destroyed, and the thread that owns
  /// them may wait for a lost rank.
  void release();

 private:
  /// One message in flight in each direction with a rank.
  struct Peer {
    int rank = 0;
    Beat sent;
    Beat received;
    BerthaMpiRequest sending = 0;
    BerthaMpiRequest receiving = 0;
    bool sent_leaving = false;
  };

  void talk();
  void judge();
  bool exchange_beats(double now, bool leaving, bool due);
  void receive(Peer& peer, double now);
  void send(Peer& peer, bool leaving);
  bool parted(Peer& peer);
  std::optional<std::string> verdict(double now);
  [[noreturn]] void end(const std::string& line);
  Beat beat(bool leaving) const;

  BerthaMpiComm communicator_;
  const WorldSettings& settings_;
  const Activity& activity_;
  int rank_ = 0;
  std::atomic<double> last_exchange_;  ///< when the heartbeat thread last finished a round
  std::mutex monitor_mutex_;
  RankMonitor monitor_;
  std::vector<Peer> peers_;  ///< used by the heartbeat thread only
  std::atomic<bool> leaving_{false};
  std::atomic<bool> left_{false};
  std::mutex release_mutex_;
  std::function<void()> release_;
  std::thread talking_;
  std::thread judging_;
};

}  // namespace bertha::comm
