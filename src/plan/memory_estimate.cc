#include "plan/memory_estimate.h"

#include <algorithm>

#include "bert/parameters.h"
#include "plan/planned_device.h"
#include "train/pretraining_trainer.h"

namespace bertha::plan {
namespace {

/// NCCL's own: 9.6 MB of buffers (4 MiB, 0.5 MiB and 4.9 MB for its three protocols) for each of
/// three connections of each of 24 channels. Up to 1.6 GB have been reported.
constexpr double kNcclGb = 3 * 24 * 9.6e-3;

double gb(int64_t bytes) {
  return static_cast<double>(bytes) * 1e-9;
}

train::TrainerSettings settings_of(const TrainingJob& job) {
  train::TrainerSettings settings;
  settings.compute = job.compute();
  settings.recompute = job.recompute;
  settings.accumulation = job.accumulation;
  settings.sums = job.reductions;
  settings.optimizer.zero = job.partitions_state;
  settings.limits = {
      .tokens = job.shape.sequences * job.shape.length,
      .sequences = job.shape.sequences,
      .masked = job.shape.sequences * std::min(job.shape.predictions, job.shape.length)};
  return settings;
}

/// Gradients that are sent as bf16 are rounded into a buffer of their own: a bucket's, or, where
/// state is partitioned, those of all parameters.
double communication_gb(const TrainingJob& job, int64_t elements) {
  if (job.reductions.wire_dtype != DType::kBF16) return kNcclGb;
  const int64_t rounded =
      job.partitions_state ? elements : std::min(elements, job.reductions.bucket_elements);
  return kNcclGb + gb(2 * rounded);
}

}  // namespace

MemoryEstimate estimate_memory(const TrainingJob& job, int64_t ranks) {
  PlannedDevice device;
  PlannedWorld world(ranks);
  bert::ParameterStore parameters(device, job.config, bert::Heads::for_pretraining(), job.compute(),
                                  true);
  MemoryEstimate memory;
  memory.parameters = gb(device.allocated_bytes());
  const train::PretrainingTrainer trainer(device, job.config, parameters, settings_of(job), world);
  memory.activations = gb(trainer.arena_bytes());
  memory.optimizer = gb(device.allocated_bytes()) - memory.parameters - memory.activations;
  if (ranks > 1) memory.communication = communication_gb(job, parameters.table().flat_size());
  return memory;
}

}  // namespace bertha::plan
