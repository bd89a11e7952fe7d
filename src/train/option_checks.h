#pragma once

// Checks of options that several training runs share.

#include <cstdint>

namespace bertha::train {

/// Throws Error that names the option --`name` when its value is below `least`.
void check_at_least(const char* name, int64_t value, int64_t least);

/// Throws Error when gradient accumulation does not divide the batch into equal micro-batches.
void check_micro_batches(int64_t train_batch_size, int64_t gradient_accumulation_steps);

}  // namespace bertha::train
