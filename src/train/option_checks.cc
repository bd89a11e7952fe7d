#include "train/option_checks.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/error.h"

namespace bertha::train {
namespace {

/// The smallest number of accumulation steps, greater than now, whose micro-batches have at most
/// `rows` rows. Nothing where that takes more steps than anyone would want.
std::optional<int64_t> steps_that_fit(const MicroBatches& options, double rows) {
  constexpr int64_t kMostSteps = 1 << 20;
  const int64_t most = std::min(options.batch, kMostSteps);
  for (int64_t steps = options.accumulation + 1; steps <= most; ++steps) {
    if (options.batch % steps != 0) continue;
    const int64_t micro_batch = options.batch / steps;
    if (static_cast<double>(micro_batch) <= rows) return steps;
  }
  return std::nullopt;
}

}  // namespace

Error advise(const OutOfMemory& error, const MicroBatches& options) {
  constexpr double kShare = 0.9;  // of the free memory: the buffers are more than this one
  const int64_t micro_batch = options.batch / options.accumulation;
  const double rows =
      kShare * static_cast<double>(micro_batch) * error.free_bytes() / error.needed_bytes();
  std::string text = fmt::format("{}; a micro-batch has {} rows", error.what(), micro_batch);
  if (const auto steps = steps_that_fit(options, rows)) {
    text += fmt::format("; --gradient-accumulation-steps={} makes micro-batches of {} that may fit",
                        *steps, options.batch / *steps);
  }
  if (!options.recompute) text += "; --checkpoint-activations needs less";
  return Error(text);
}

void check_at_least(const char* name, int64_t value, int64_t least) {
  if (value < least) fail("--{} is {}; expected {} or more", name, value, least);
}

void check_micro_batches(int64_t train_batch_size, int64_t gradient_accumulation_steps) {
  if (train_batch_size % gradient_accumulation_steps == 0) return;
  fail("--train-batch-size {} is no multiple of --gradient-accumulation-steps {}", train_batch_size,
       gradient_accumulation_steps);
}

}  // namespace bertha::train
