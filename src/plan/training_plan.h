#pragma once

// A plan of pre-training: what memory and time it takes on one GPU and on many. Memory is counted
// from the trainer's own buffers; time is estimated by data sheet, or measured.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plan/cluster_time_estimate.h"
#include "plan/datasheets.h"
#include "plan/device_time_estimate.h"
#include "plan/memory_estimate.h"
#include "plan/step_timing.h"
#include "plan/training_job.h"

namespace bertha::plan {

struct PlanRequest {
  TrainingJob job;
  std::string gpu = "h100";          ///< name of its data sheet
  std::optional<Datasheet> machine;  ///< measured, in its place
  std::string machine_name;          ///< of `machine`: its processor, as Device::description()
  TimeAssumptions assumptions;
  int64_t steps = 1;  ///< updates
  ScalingRequest scaling;
  std::vector<StepTiming> timings;  ///< measurements that take the place of estimates
};

struct TrainingPlan {
  PlanRequest request;
  /// Of the GPU, or of the processor that was measured.
  std::string card_name() const {
    return request.machine ? request.machine_name : std::string(gpu.name);
  }
  Datasheet gpu;
  TimeEstimate time;                     ///< by data sheet
  std::optional<MemoryEstimate> memory;  ///< of one rank; absent for a machine that was measured
  Scaling scaling;
};

/// Throws Error, naming the option of `bertha plan`, for a number out of its range.
void check_request(const PlanRequest& request);

/// Reads files of `bertha plan --measure` into the request, and plans with their micro-batch.
/// Throws Error for a file that is none, or that was measured with another micro-batch than the
/// first.
void use_measurements(PlanRequest& request, std::span<const std::string> paths);

/// Throws Error for what check_request() or estimate_scaling() refuse.
TrainingPlan plan_training(const PlanRequest& request);

}  // namespace bertha::plan
