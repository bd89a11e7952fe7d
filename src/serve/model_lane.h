#pragma once

// The models of the server on the device of one lane: their weights and the arenas of their forward
// passes. The construction reads, warms and times them.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/device.h"
#include "core/thread_pool.h"
#include "infer/model.h"
#include "infer/window_runner.h"
#include "serve/model_service.h"
#include "serve/served_model.h"
#include "serve/serving_lanes.h"

namespace bertha::serve {

class ModelLane final : public LaneModels {
 public:
  /// Belongs to the thread that makes it. `threads` is the share of the processor that the lane
  /// gets. Throws Error for weights that are damaged or missing.
  ModelLane(std::span<const std::shared_ptr<const ServedModel>> models,
            const ModelServiceOptions& options, int64_t threads);

  void run(size_t model, std::span<const infer::WindowRef> windows) override;
  std::vector<ModelPace> paces() override;
  const infer::Arithmetic& arithmetic() const { return arithmetic_; }

 private:
  struct Loaded {
    std::unique_ptr<infer::Model> model{};
    std::unique_ptr<infer::WindowRunner> runner{};
    ModelPace pace{};
  };
  Loaded load(const ServedModel& served, const ModelServiceOptions& options);
  ModelPace measure(const ServedModel& served, Loaded& loaded, int64_t wanted_budget) const;

  ThreadPool pool_;  ///< of this lane alone
  PoolBinding binding_;
  std::unique_ptr<Device> device_;
  infer::Arithmetic arithmetic_;
  std::vector<Loaded> models_;
};

}  // namespace bertha::serve
