#pragma once

// Runs windows of any requests through a model, many in one forward pass.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "core/error.h"
#include "infer/model.h"
#include "infer/predictor.h"
#include "infer/window_job.h"

namespace bertha::infer {

/// Windows that run together.
struct WindowBatch {
  std::vector<WindowRef> members{};
  RaggedBatch tokens{};
  std::vector<int32_t> rows{};       ///< tokens that the forward pass picks
  std::vector<int64_t> row_start{};  ///< [N+1] where each member's rows begin

  void assign(std::span<const WindowRef> windows);
};

/// What a batch may hold. A batch of one window may be larger.
struct BatchRoom {
  int64_t tokens = 0;
  int64_t windows = 0;
  int64_t rows = 0;  ///< 0: no limit
};

/// What a caller sees and decides while batches run.
struct RunControls {
  std::function<void(int64_t)> after_batch{};  ///< receives the windows done, on rank 0
  /// Set on rank 0, it ends the run on all ranks with the error Stopped after the batches that are
  /// under way. Null: the run goes to its end.
  const std::atomic<bool>* stop = nullptr;
};

/// RunControls::stop was set before all windows were done.
class Stopped : public Error {
 public:
  Stopped() : Error("stopped before all texts were done") {}
};

enum class WindowOrder : uint8_t { kAsTheyAre, kLongestFirst };

/// All windows of a job, cut into batches.
std::vector<std::vector<WindowRef>> batches_of(WindowJob& job, const BatchRoom& room,
                                               WindowOrder order);

/// Thread rule: that of Predictor.
class WindowRunner {
 public:
  /// The model is opened for this purpose, or another where it is kEmbed: the encoder is all that
  /// vectors need. It outlives the runner. No batch may be larger than `limits`.
  WindowRunner(const Model& model, Purpose purpose, const BatchSize& limits);
  ~WindowRunner();

  /// Runs the windows as one batch and gives each job its results.
  void run(std::span<const WindowRef> windows);

  /// Runs batches, divided among the ranks of `world`. All ranks make the same call; the jobs of
  /// rank 0 alone get results. Throws Stopped as the controls say.
  void run(const std::vector<std::vector<WindowRef>>& batches, comm::Communicator& world,
           const RunControls& controls = {});

 private:
  int64_t result_size(const WindowBatch& batch) const;
  void hand_out(const WindowBatch& batch, std::span<const float> result) const;

  std::unique_ptr<ForwardPass> pass_;
  Purpose purpose_;
  Predictor predictor_;
  WindowBatch batch_;
};

}  // namespace bertha::infer
