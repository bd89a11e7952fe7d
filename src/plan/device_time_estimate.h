#pragma once

// Times by data sheet: the number of operations over a share of the GPU's rate.

#include "bert/config.h"
#include "plan/datasheets.h"
#include "plan/training_job.h"

namespace bertha::plan {

/// Operations of the forward and backward pass of one sequence.
struct SequenceFlops {
  double encoder = 0;  ///< layers
  double heads = 0;
  double total() const { return encoder + heads; }
};

/// 6 N s + 12 L H s² for the layers and 6 p (H² + H V) + 6 H² for the heads, where N is the number
/// of weights in the encoder's products, s `tokens` and p `predictions`.
SequenceFlops count_flops(const bert::Config& config, double tokens, double predictions);

/// Assumptions, each above 0 to 1.
struct TimeAssumptions {
  double real_share = 1;    ///< real tokens over padded ones in the data: padding is not computed
  double rate_share = 0.5;  ///< of the GPU's rate by its data sheet
};

struct TimeEstimate {
  SequenceFlops flops;
  double peak_flops = 0;           ///< operations a second by the data sheet
  double micro_batch_seconds = 0;  ///< forward and backward
  double update_seconds = 0;       ///< norm and optimizer over all parameters
};

/// The rates of a machine on which a micro-batch of full rows and an update take so long:
/// estimate_time() gives these times again for them, with a `rate_share` of 1.
struct MachineRates {
  double tflops = 0;
  double gbytes_per_s = 0;
};
MachineRates rates_of(const TrainingJob& job, double micro_batch_seconds, double update_seconds);

TimeEstimate estimate_time(const TrainingJob& job, const Datasheet& gpu,
                           const TimeAssumptions& assumptions);

}  // namespace bertha::plan
