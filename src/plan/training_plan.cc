#include "plan/training_plan.h"

#include <utility>

#include "core/error.h"

namespace bertha::plan {

void check_request(const PlanRequest& request) {
  const TrainingJob& job = request.job;
  const ScalingRequest& scaling = request.scaling;
  for (const auto& [name, count] :
       {std::pair("micro-batch", job.shape.sequences),
        std::pair("max-seq-length", job.shape.length),
        std::pair("max-predictions-per-seq", job.shape.predictions),
        std::pair("gradient-accumulation-steps", job.accumulation),
        std::pair("max-steps", request.steps), std::pair("ranks-a-node", scaling.ranks_a_node),
        std::pair("network-cards", scaling.network_cards.value_or(1))}) {
    if (count < 1) fail("--{} {}: expected at least 1", name, count);
  }
  if (job.shape.length > job.config.max_tokens()) {
    fail("--max-seq-length {}: {} allows {}", job.shape.length, job.config_file,
         job.config.max_tokens());
  }
  for (const auto& [name, share] : {std::pair("real-share", request.assumptions.real_share),
                                    std::pair("rate-share", request.assumptions.rate_share)}) {
    if (!(share > 0 && share <= 1)) fail("--{} {}: expected above 0 to 1", name, share);
  }
}

void use_measurements(PlanRequest& request, std::span<const std::string> paths) {
  for (const std::string& path : paths) {
    request.timings.push_back(read_timing(path));
    if (request.timings.back().shape == request.timings.front().shape) continue;
    fail("{}: measured with other micro-batches than {}", path, paths.front());
  }
  if (!request.timings.empty()) request.job.shape = request.timings.front().shape;
}

TrainingPlan plan_training(const PlanRequest& request) {
  check_request(request);
  TrainingPlan plan;
  plan.request = request;
  plan.gpu = request.machine ? *request.machine : find_datasheet(request.gpu);
  plan.time = estimate_time(request.job, plan.gpu, request.assumptions);
  plan.scaling =
      estimate_scaling(request.job, plan.gpu, plan.time, request.scaling, request.timings);
  if (request.timings.empty()) plan.memory = estimate_memory(request.job, plan.gpu, 1);
  return plan;
}

}  // namespace bertha::plan
