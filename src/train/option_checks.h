#pragma once

// Checks of options that several training runs share.

#include <cstdint>

#include "core/free_memory.h"

namespace bertha::train {

/// Throws Error that names the option --`name` when its value is below `least`.
void check_at_least(const char* name, int64_t value, int64_t least);

/// Throws Error when gradient accumulation does not divide the batch into equal micro-batches.
void check_micro_batches(int64_t train_batch_size, int64_t gradient_accumulation_steps);

/// The micro-batches of a run as its options make them.
struct MicroBatches {
  int64_t batch = 1;         ///< --train_batch_size
  int64_t accumulation = 1;  ///< --gradient_accumulation_steps
  bool recompute = false;    ///< --checkpoint-activations
};

/// The error with what to do about it: the number of accumulation steps whose micro-batches fit, if
/// one does, or --checkpoint-activations.
Error advise(const OutOfMemory& error, const MicroBatches& options);

}  // namespace bertha::train
