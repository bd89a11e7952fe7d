#pragma once

// The one engine for forward passes: it uploads a batch, runs a forward pass on the device and
// reads the result.

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bert/device_batch.h"
#include "bert/encoder.h"
#include "bert/task_model.h"
#include "core/context.h"
#include "core/ragged_batch.h"

namespace bertha::infer {

/// Size of a batch: tokens T, sequences N, and the rows R that a forward pass picks among the
/// tokens.
struct BatchSize {
  int64_t tokens = 0;
  int64_t sequences = 0;
  int64_t rows = 0;
};

/// A batch on the device.
struct PassInputs {
  bert::EncoderInputs encoder;
  Tensor rows{};  ///< i32 [R]: tokens of the batch; absent when a batch picks none
};

/// A forward pass: the encoder and what lies above it, without dropout.
class ForwardPass {
 public:
  ForwardPass() = default;
  ForwardPass(const ForwardPass&) = delete;
  ForwardPass& operator=(const ForwardPass&) = delete;
  virtual ~ForwardPass() = default;

  virtual std::string_view name() const = 0;
  /// Shape of the f32 result. Only the first extent may depend on the size of the batch.
  virtual Shape result_shape(const BatchSize& size) const = 0;
  /// Runs the ops. It is the body of a device's segment: it branches on shapes and settings alone,
  /// and the host reads nothing in it.
  virtual void run(Context& context, const PassInputs& inputs, Out result) = 0;
};

/// The logits of a task model.
class TaskPass final : public ForwardPass {
 public:
  TaskPass(std::string_view name, bert::TaskModel& model) : name_(name), model_(model) {}

  std::string_view name() const override { return name_; }
  Shape result_shape(const BatchSize& size) const override {
    return model_.logits_shape(size.tokens, size.sequences);
  }
  void run(Context& context, const PassInputs& inputs, Out result) override {
    model_.predict(context, inputs.encoder, result);
  }

 private:
  std::string_view name_;
  bert::TaskModel& model_;
};

/// Thread rule: a predictor belongs to the thread of its first run(). run() on another thread is a
/// LogicError, because the arena, the batch and the device's state serve one forward pass at a
/// time. A program with several threads gives each of them a predictor and a device of its own.
class Predictor {
 public:
  /// No batch may be larger than `limits`. `pass` and the device must outlive the predictor;
  /// `compute` is the dtype in which the pass computes. Without `token_types` all tokens get
  /// segment 0.
  Predictor(Device& device, DType compute, ForwardPass& pass, const BatchSize& limits,
            bool token_types = true);

  /// The result of the forward pass over a batch, valid until the next call; `rows` are the tokens
  /// of the batch that the pass picks. The predictor keeps one arena that grows to the largest
  /// batch so far, so that a steady stream of batches allocates nothing.
  std::span<const float> run(const RaggedBatch& batch, std::span<const int32_t> rows = {});

  /// Number of elements of a batch's result.
  int64_t result_size(const RaggedBatch& batch, int64_t rows = 0) const {
    return pass_.result_shape({batch.tokens(), batch.sequences(), rows}).size();
  }

 private:
  void check_thread();
  PassInputs upload(const RaggedBatch& batch, std::span<const int32_t> rows);
  void reserve(const BatchSize& size);
  int64_t measure(const BatchSize& size);

  Device& device_;
  DType compute_;
  ForwardPass& pass_;
  std::string segment_;  ///< no other predictor has this name: a device may replay by it
  bert::DeviceBatch batch_;
  Buffer rows_;
  std::vector<int32_t> staging_;
  BatchSize reserved_;  ///< the sizes for which the arena and the buffer are large enough
  std::optional<Arena> arena_;
  /// Beside the arena, which takes no memory where a device keeps the values of a segment itself.
  Buffer device_result_;
  std::vector<float> result_;
  std::atomic<std::thread::id> owner_;
};

}  // namespace bertha::infer
