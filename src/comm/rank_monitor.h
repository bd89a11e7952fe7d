#pragma once

// The state of all ranks as the watchdog knows it, and its decisions. The caller passes in beats
// and the time, so that tests need no clock.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace bertha::comm {

/// A rank's heartbeat, sent as raw bytes.
struct Beat {
  int64_t step = 0;
  int64_t waits = 0;  ///< number of calls that wait for other ranks, so far
  uint8_t stage = 0;  ///< Stage
  bool waits_now = false;
  bool left = false;  ///< the last beat of a rank that ends normally
};

class RankMonitor {
 public:
  /// Watches the ranks of `watched`. Messages use the names in hosts[rank].
  RankMonitor(std::vector<std::string> hosts, const std::vector<int64_t>& watched, double now);

  void take(int64_t rank, const Beat& beat, double now);
  bool left(int64_t rank) const { return at(rank).beat.left; }

  /// A message when the job must end, else nothing. It names the rank without a beat for `silence`
  /// seconds (the rank with the oldest beat if there are several). If all watched ranks wait for
  /// each other and none has progressed for that time, it names the rank that is furthest behind. A
  /// rank that computes or saves for hours is fine as long as it sends beats.
  std::optional<std::string> verdict(double now, double silence) const;

 private:
  struct Watched {
    int64_t rank = 0;
    Beat beat;
    double last_beat = 0;    ///< time of the last beat
    double last_change = 0;  ///< time of the last beat with a change
  };
  const Watched& at(int64_t rank) const;
  std::string name(const Watched& watched) const;
  std::optional<std::string> silent(double now, double silence) const;
  std::optional<std::string> stalled(double now, double silence) const;

  std::vector<std::string> hosts_;
  std::vector<Watched> watched_;
};

}  // namespace bertha::comm
