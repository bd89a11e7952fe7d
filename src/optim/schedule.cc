#include "optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace bertha::optim {
namespace {

/// 1 at progress = warmup, 0 from progress 1 on.
double linear_decay(double progress, double warmup) {
  return warmup < 1 ? std::max((progress - 1.0) / (warmup - 1.0), 0.0) : 0.0;
}

}  // namespace

void check(const Schedule& schedule) {
  if (!std::isfinite(schedule.base_rate) || schedule.base_rate < 0) {
    fail("--learning-rate {}: expected a number of at least 0", schedule.base_rate);
  }
  if (schedule.kind == ScheduleKind::kConstant) return;
  if (!(schedule.warmup >= 0 && schedule.warmup <= 1)) {
    fail("--warmup-proportion {}: expected 0 to 1", schedule.warmup);
  }
  if (schedule.total_updates < 1) {
    fail("a learning rate schedule of {} steps: expected at least 1", schedule.total_updates);
  }
}

double learning_rate(const Schedule& schedule, int64_t updates_done) {
  BERTHA_CHECK(updates_done >= 0, "{} updates done", updates_done);
  if (schedule.kind == ScheduleKind::kConstant) return schedule.base_rate;
  BERTHA_CHECK(schedule.total_updates >= 1, "schedule of {} updates", schedule.total_updates);
  const int64_t at = updates_done + schedule.offset;
  const double progress = static_cast<double>(at) / static_cast<double>(schedule.total_updates);
  if (progress < schedule.warmup) return schedule.base_rate * progress / schedule.warmup;
  if (schedule.kind == ScheduleKind::kLinearWarmUp) {
    return schedule.base_rate * linear_decay(progress, schedule.warmup);
  }
  if (progress > 1) {
    fail("step {} of a learning rate schedule of {} steps: the rate has no value past its end", at,
         schedule.total_updates);
  }
  return schedule.base_rate * std::pow(1.0 - progress, 0.5);
}

}  // namespace bertha::optim
