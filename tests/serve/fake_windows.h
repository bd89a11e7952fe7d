#pragma once

// Windows without a model, for tests of the queue and of the lanes.

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "serve/window_queue.h"

namespace bertha::test {

/// `windows` of `tokens` each.
class FakeJob final : public infer::WindowJob {
 public:
  FakeJob(int64_t windows, int64_t tokens)
      : tokens_(tokens), taken_(static_cast<size_t>(windows)) {}
  int64_t windows() const override { return std::ssize(taken_); }
  infer::WindowSize size(int64_t) const override { return {.tokens = tokens_}; }
  void append(int64_t, RaggedBatch&, std::vector<int32_t>&) const override {}
  void take(int64_t window, std::span<const float>) override {
    ++taken_[static_cast<size_t>(window)];
  }
  /// How often a window got its result.
  int taken(int64_t window) const { return taken_[static_cast<size_t>(window)]; }

 private:
  int64_t tokens_;
  std::vector<std::atomic<int>> taken_;
};

/// A request that writes down how it ended.
struct FakeRequest {
  explicit FakeRequest(int64_t windows, int64_t tokens = 16)
      : job(std::make_shared<FakeJob>(windows, tokens)) {}

  serve::LaneRequest lane_request() const {
    serve::LaneRequest request = {.model = model,
                                  .job = job,
                                  .priority = priority,
                                  .deadline = deadline,
                                  .cancelled = cancelled};
    request.done = [kept = ends](const serve::RequestEnd& end) { kept->push_back(end); };
    return request;
  }
  /// How it ended: of a request that did not end yet, kStopped.
  serve::Outcome outcome() const {
    return ends->empty() ? serve::Outcome::kStopped : ends->front().outcome;
  }

  std::shared_ptr<FakeJob> job;
  size_t model = 0;
  serve::Priority priority = serve::Priority::kInteractive;
  serve::TimePoint deadline = serve::TimePoint::max();
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::vector<serve::RequestEnd>> ends =
      std::make_shared<std::vector<serve::RequestEnd>>();
};

}  // namespace bertha::test
