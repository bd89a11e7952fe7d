#pragma once

// The threads that run batches. A lane takes the next batch of the queue whenever it falls free.
// One more thread reports results while the lanes compute.

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "serve/window_queue.h"

namespace bertha::serve {

/// The models on a lane, used by its thread alone.
class LaneModels {
 public:
  LaneModels() = default;
  LaneModels(const LaneModels&) = delete;
  LaneModels& operator=(const LaneModels&) = delete;
  virtual ~LaneModels() = default;

  /// Runs the windows as one batch and gives each job its results. An exception fails the batch.
  virtual void run(size_t model, std::span<const infer::WindowRef> windows) = 0;
  /// What was measured of each model.
  virtual std::vector<ModelPace> paces() = 0;
};

class Lanes {
 public:
  /// Makes the models of a lane on its thread.
  using MakeModels = std::function<std::unique_ptr<LaneModels>(int64_t lane)>;

  /// Returns when all lanes have their models. Throws what `make` throws.
  Lanes(int64_t lanes, const MakeModels& make, const ServiceLimits& limits);
  /// Requests that wait end as kStopped; batches that run are finished first.
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Queues the request; its `done` is called once, on one of these threads. Or says why not, and
  /// `done` is not called.
  std::optional<ServeError> submit(LaneRequest request);

  /// Waits until no request is left or `deadline` has passed; true: none is left.
  bool wait_idle(TimePoint deadline);
  void add_to(ServiceStats& stats) const;

 private:
  void open(const MakeModels& make, const ServiceLimits& limits);
  void start(int64_t lane, const MakeModels& make);
  void end_threads();
  void run_lane(LaneModels& models);
  void report_ended(std::unique_lock<std::mutex>& lock);
  void hand_to_reporter();
  void report(std::vector<EndedRequest> ended, std::unique_lock<std::mutex>& lock);
  void run_reporter();

  mutable std::mutex mutex_;
  std::condition_variable wake_lane_;
  std::condition_variable wake_reporter_;
  std::condition_variable idle_;
  std::optional<WindowQueue> queue_;
  std::vector<EndedRequest> to_report_;
  int64_t reporting_ = 0;  ///< requests that are being reported
  int64_t lanes_;
  std::vector<std::unique_ptr<LaneModels>> models_;  ///< by lane
  int64_t lanes_ready_ = 0;
  std::exception_ptr failure_;
  std::chrono::nanoseconds busy_{0};
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bertha::serve
