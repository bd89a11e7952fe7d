#pragma once

// The parts of a training step timed on the ranks that are there, for plan/cost_model.h: a
// micro-batch with and without the sums of gradients, the update, and sums alone by size. Kept as
// JSON, so that several runs (numbers of ranks) can be fitted together.

#include <cstdint>
#include <string>
#include <vector>

#include "bert/config.h"
#include "comm/communicator.h"
#include "core/device.h"
#include "plan/cost_model.h"
#include "train/pretraining_trainer.h"

namespace bertha::plan {

/// A micro-batch of full rows.
struct BatchShape {
  int64_t sequences = 0;
  int64_t length = 0;
  int64_t predictions = 0;  ///< a sequence
  bool operator==(const BatchShape&) const = default;
};

/// Seconds are medians of several steps, each as slow as its slowest rank.
struct StepTiming {
  std::string device;
  int64_t threads = 1;  ///< a rank
  int64_t ranks = 1;
  int64_t hosts = 1;
  BatchShape shape;
  int64_t elements = 0;  ///< of the flat gradients
  int64_t bucket_elements = 0;
  double micro_batch_seconds = 0;
  double summed_micro_batch_seconds = 0;  ///< with the sums of gradients, to their end
  double update_seconds = 0;
  double whole_sum_seconds = 0;  ///< of all gradients, nothing else done
  std::vector<Sample> sums;

  /// What sums add to a step.
  double exposed_seconds() const { return summed_micro_batch_seconds - micro_batch_seconds; }
};

/// Trains on random rows for `steps` steps after a first one that is not timed. All ranks of
/// `world` call it; the result is the same on all. `settings` as in a run; this function sets
/// limits and accumulation, and switches ZeRO-1 off.
StepTiming time_steps(comm::Communicator& world, Device& device, const bert::Config& config,
                      train::TrainerSettings settings, const BatchShape& shape, int64_t steps);

std::string timing_json(const StepTiming& timing);
/// Throws Error for a file that is none, or whose figures cannot be.
StepTiming read_timing(const std::string& path);

}  // namespace bertha::plan
