#pragma once

// Learning rate schedules. They compute in double, in the order of operations of the recipe's
// schedulers.py and optimization.py, so that logged rates agree to the last digit.

#include <cstdint>

namespace bertha::optim {

enum class ScheduleKind : uint8_t {
  kConstant,      ///< base_rate
  kPolyWarmUp,    ///< linear warm-up, then base_rate (1 - progress)^0.5, not rescaled
  kLinearWarmUp,  ///< linear warm-up, then linear to 0 at progress 1, and 0 from there
};

/// The rate as a function of progress = (updates done + offset) / total_updates. While progress is
/// below `warmup` the rate is base_rate progress / warmup.
struct Schedule {
  ScheduleKind kind = ScheduleKind::kPolyWarmUp;
  double base_rate = 0;
  double warmup = 0;  ///< share of total_updates, in [0, 1]
  int64_t total_updates = 0;
  /// 1: the first update has progress 1/total, the last 1 (pre-training, SQuAD with
  /// --use_fused_adam). 0: the first has progress 0 (SQuAD's BertAdam).
  int64_t offset = 1;
};

/// Throws Error for values that make no schedule. Call it before the first step.
void check(const Schedule& schedule);

/// The rate of the update after `updates_done` updates. Throws Error for kPolyWarmUp at a progress
/// above 1, where it has no value.
double learning_rate(const Schedule& schedule, int64_t updates_done);

}  // namespace bertha::optim
