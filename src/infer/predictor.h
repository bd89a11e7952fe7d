#pragma once

#include <functional>
#include <optional>

#include "bert/device_batch.h"
#include "bert/encoder.h"
#include "core/context.h"
#include "core/ragged_batch.h"

namespace bertha::infer {

/// Forward passes over ragged batches, for commands that predict: uploads the tokens and keeps an
/// arena that grows to the largest batch met, so that a steady stream allocates nothing.
class Predictor {
 public:
  /// No batch may be larger than `limits`.
  Predictor(Device& device, const bert::BatchLimits& limits);

  /// Ops on a batch. It runs twice, first dry, to learn how much memory it needs: it writes and
  /// reads the device only when the context is not dry.
  using Body = std::function<void(Context&, const bert::EncoderInputs&)>;
  void run(const RaggedBatch& batch, const Body& body);

 private:
  Device& device_;
  bert::DeviceBatch batch_;
  std::optional<Arena> arena_;
};

}  // namespace bertha::infer
