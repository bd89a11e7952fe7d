#pragma once

// The status line of a stage that counts what it has done: bytes, files, shards. For example
//
//   shard  1.23 GB of 5.00 GB  24.6 %  110.25 MB/s  34 s left

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/progress.h"
#include "runlog/clock.h"
#include "runlog/status_line.h"

namespace bertha::runlog {

/// A terminal shows the line until the stage ends. A file gets a line every 30 s.
class WorkMeter {
 public:
  /// `unit` names what is counted ("shards"); "" stands for bytes. A quiet meter shows nothing.
  explicit WorkMeter(std::string label, std::string unit = "", bool quiet = false);
  /// For tests.
  WorkMeter(std::string label, std::string unit, StatusLine line, SteadyClock clock);
  WorkMeter(const WorkMeter&) = delete;
  WorkMeter& operator=(const WorkMeter&) = delete;
  ~WorkMeter() { clear(); }

  /// `total` is 0 where it is not known. `before` is the part of `done` that earlier runs did; it
  /// does not count in the rate.
  void update(int64_t done, int64_t total, int64_t before = 0);
  /// Removes the line from the terminal: the work is done.
  void clear() { line_.clear(); }
  /// update() as a callback. It must not outlive the meter.
  ReportProgress report() {
    return [this](int64_t done, int64_t total) { update(done, total); };
  }

 private:
  std::vector<StatusPart> parts(double done, double total, double per_second) const;
  std::string amount(double value) const;

  std::string label_;
  std::string unit_;
  bool quiet_;
  StatusLine line_;
  SteadyClock clock_;
  SteadyTime begin_;
};

}  // namespace bertha::runlog
