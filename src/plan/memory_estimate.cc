#include "plan/memory_estimate.h"

#include <algorithm>

#include "bert/parameters.h"
#include "plan/planned_device.h"
#include "train/pretraining_trainer.h"

namespace bertha::plan {
namespace {

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

/// Kernels of a micro-batch. In a layer: four products, attention, two LayerNorms and the
/// activation forward; backward eight products, each pair with sums of a bias in two kernels, two
/// kernels of attention, two LayerNorms in two kernels each, and a cleared bias. What lies outside
/// the layers is about right.
int64_t kernels_of(const TrainingJob& job) {
  constexpr int64_t kForward = 8;
  constexpr int64_t kBackward = 23;
  constexpr int64_t kOutside = 60;
  const int64_t of_layer = kForward + kBackward + (job.recompute ? kForward : 0);
  return job.config.num_hidden_layers * of_layer + kOutside;
}

/// Gradients that are sent as bf16 are rounded into a buffer of their own: a bucket's, or, where
/// state is partitioned, those of all parameters.
double communication_gb(const TrainingJob& job, const Datasheet& gpu, int64_t elements) {
  if (job.reductions.wire_dtype != DType::kBF16) return gpu.sums_gb;
  const int64_t rounded =
      job.partitions_state ? elements : std::min(elements, job.reductions.bucket_elements);
  return gpu.sums_gb + gb(2 * rounded);
}

}  // namespace

MemoryEstimate estimate_memory(const TrainingJob& job, const Datasheet& gpu, int64_t ranks) {
  PlannedDevice device;
  PlannedWorld world(ranks);
  bert::ParameterStore parameters(device, job.config, bert::Heads::for_pretraining(), job.compute(),
                                  true);
  MemoryEstimate memory{.library = gpu.library_gb, .driver = gpu.driver_gb};
  memory.graphs = static_cast<double>(gpu.graphs * kernels_of(job)) * gpu.graph_kernel_gb;
  memory.parameters = gb(device.allocated_bytes());
  const train::PretrainingTrainer trainer(device, job.config, parameters, settings_of(job), world);
  memory.activations = gb(trainer.arena_bytes());
  memory.optimizer = gb(device.allocated_bytes()) - memory.parameters - memory.activations;
  if (ranks > 1) {
    memory.communication = communication_gb(job, gpu, parameters.table().flat_size());
  }
  return memory;
}

}  // namespace bertha::plan
