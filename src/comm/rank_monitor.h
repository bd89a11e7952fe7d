#pragma once

// Who is alive and where: what the watchdog knows and how it decides. Beats come in from other
// threads' messages; time is passed in, so that tests need no clock.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace bertha::comm {

/// A rank's sign of life, sent as it is.
struct Beat {
  int64_t step = 0;
  int64_t waits = 0;  ///< calls that wait for others, entered so far
  uint8_t stage = 0;  ///< Stage
  bool waits_now = false;
  bool left = false;  ///< the last beat of a rank that ends in order
};

class RankMonitor {
 public:
  /// Watches the ranks of `watched`; hosts[rank] is named in verdicts.
  RankMonitor(std::vector<std::string> hosts, const std::vector<int64_t>& watched, double now);

  void take(int64_t rank, const Beat& beat, double now);
  bool left(int64_t rank) const { return at(rank).beat.left; }

  /// A line that names the rank that said nothing for `silence` seconds (of several, the one heard
  /// longest ago), or, when all of the watched wait for others and nothing has moved for so long,
  /// the one that is furthest behind; nothing when all is well. A rank that computes or saves for
  /// hours is well as long as it beats.
  std::optional<std::string> verdict(double now, double silence) const;

 private:
  struct Watched {
    int64_t rank = 0;
    Beat beat;
    double heard = 0;  ///< when the last beat came
    double moved = 0;  ///< when a beat last said something new
  };
  const Watched& at(int64_t rank) const;
  std::string name(const Watched& watched) const;
  std::optional<std::string> silent(double now, double silence) const;
  std::optional<std::string> stalled(double now, double silence) const;

  std::vector<std::string> hosts_;
  std::vector<Watched> watched_;
};

}  // namespace bertha::comm
