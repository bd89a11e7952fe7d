#include "train/option_checks.h"

#include "core/error.h"

namespace bertha::train {

void check_at_least(const char* name, int64_t value, int64_t least) {
  if (value < least) fail("--{} is {}; expected {} or more", name, value, least);
}

void check_micro_batches(int64_t train_batch_size, int64_t gradient_accumulation_steps) {
  if (train_batch_size % gradient_accumulation_steps == 0) return;
  fail("--train-batch-size {} is no multiple of --gradient-accumulation-steps {}", train_batch_size,
       gradient_accumulation_steps);
}

}  // namespace bertha::train
