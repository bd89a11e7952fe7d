#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/progress.h"
#include "runlog/progress.h"

namespace bertha::runlog {

/// "1.23 GB".
std::string format_bytes(double bytes);

/// How far a stage is, on standard error: done of all, rate and time left. A terminal shows it
/// until the stage ends; a file gets a line every 30 s.
class WorkMeter {
 public:
  /// `unit` names what is counted ("shards"); empty: bytes.
  explicit WorkMeter(std::string label, std::string unit = "", bool quiet = false);
  WorkMeter(const WorkMeter&) = delete;
  WorkMeter& operator=(const WorkMeter&) = delete;
  ~WorkMeter() { clear(); }

  /// `total` 0: not known. `before` is what earlier runs did of `done`.
  void update(int64_t done, int64_t total, int64_t before = 0);
  /// Takes the line off the terminal: the work is done.
  void clear() { line_.clear(); }
  /// update() as the work calls it; must not outlive the meter.
  ReportProgress report() {
    return [this](int64_t done, int64_t total) { update(done, total); };
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::string describe(double done, double total, double a_second) const;
  std::string amount(double value) const;

  std::string label_;
  std::string unit_;
  bool quiet_;
  StatusLine line_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace bertha::runlog
