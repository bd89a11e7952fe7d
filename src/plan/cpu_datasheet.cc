#include "plan/cpu_datasheet.h"

#include <algorithm>

#include "core/free_memory.h"
#include "plan/device_time_estimate.h"
#include "plan/step_timing.h"

namespace bertha::plan {
namespace {

constexpr int64_t kTimedSteps = 3;
/// Tokens of a micro-batch that is timed: enough for products to reach their rate.
constexpr int64_t kTimedTokens = 512;
/// GB of the program itself and of its libraries.
constexpr double kProgramGb = 0.05;

}  // namespace

Datasheet measure_cpu(Device& device, const TrainingJob& job) {
  TrainingJob timed = job;
  timed.shape.sequences =
      std::clamp<int64_t>(kTimedTokens / job.shape.length, 1, job.shape.sequences);
  train::TrainerSettings settings;
  settings.compute = job.compute();
  settings.recompute = job.recompute;
  const StepTiming timing =
      time_steps(comm::alone(), device, job.config, settings, timed.shape, kTimedSteps);
  const MachineRates rates = rates_of(timed, timing.micro_batch_seconds, timing.update_seconds);
  return {.name = "this machine",
          .memory_gb = kilobytes_in("/proc/meminfo", "MemTotal").value_or(0) / 1e9,
          .bf16_tflops = rates.tflops,
          .fp32_tflops = rates.tflops,
          .gbytes_per_s = rates.gbytes_per_s,
          .within = "shared-memory",
          .network = "ethernet-10g",
          .network_cards = 1,
          .library_gb = kProgramGb,
          .driver_gb = 0,
          .sums_gb = 0,
          .graphs = 0,
          .measured = true};
}

}  // namespace bertha::plan
