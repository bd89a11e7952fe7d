#pragma once

// The status line of a training run. On a terminal:
//
//   phase 1  ━━━━━━━━────────  512/1,000  51.2 %  loss 6.031  lr 3.1e-05  12.3k tokens/s
//     2 min 5 s left  held-out 6.112
//
// (on one line). The bar shrinks and parts are left out where the terminal is narrow.

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runlog/clock.h"
#include "runlog/status_line.h"

namespace bertha::runlog {

/// What one step adds to the line.
struct StepStatus {
  int64_t step = 0;  ///< steps done, those of earlier starts included
  double loss = 0;
  double rate = 0;        ///< learning rate
  int64_t tokens = 0;     ///< of this step alone, over all ranks
  int64_t sequences = 0;  ///< likewise
};

/// What the line says.
struct TrainingStatus {
  std::string label;  ///< "phase 1"
  int64_t step = 0;
  int64_t total_steps = 0;
  double loss = 0;
  double rate = 0;
  std::string evaluation;        ///< the last one in a few words; empty: none yet
  double tokens_per_second = 0;  ///< 0: not known yet
  double sequences_per_second = 0;
  double seconds_left = -1;  ///< negative: not known yet
};

/// The parts of the line for a terminal.
std::vector<StatusPart> terminal_parts(const TrainingStatus& status, const Terminal& terminal);
/// The line for a file, without its end.
std::string plain_line(const TrainingStatus& status);

class TrainingProgress {
 public:
  /// Rates are measured from now on, when `first_step` of `total_steps` steps are done. They are
  /// means over the last 20 s or so.
  TrainingProgress(std::string label, int64_t first_step, int64_t total_steps, StatusLine line,
                   SteadyClock clock = std::chrono::steady_clock::now);

  void update(const StepStatus& step);
  /// The result of an evaluation, "held-out 6.112"; further lines show it.
  void evaluated(std::string result) { status_.evaluation = std::move(result); }
  /// Shows the last state once more and ends the line.
  void finish();

 private:
  void show();

  TrainingStatus status_;
  StatusLine line_;
  SteadyClock clock_;
  SteadyTime last_update_;
  int64_t shown_step_ = -1;  ///< the last one that was shown; -1: none
  // Sums that decay exponentially. Their quotients are rates over the recent past.
  double seconds_ = 0;
  double steps_ = 0;
  double tokens_ = 0;
  double sequences_ = 0;
};

}  // namespace bertha::runlog
