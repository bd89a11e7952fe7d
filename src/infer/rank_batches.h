#pragma once

// Forward passes over many batches, divided among the ranks of a world.

#include <cstdint>
#include <functional>
#include <span>

#include "comm/communicator.h"
#include "infer/predictor.h"

namespace bertha::infer {

struct RankBatches {
  int64_t batches = 0;
  /// Puts a batch together. Every rank calls it for every batch.
  std::function<void(int64_t batch, RaggedBatch& to)> fill;
  /// Receives each batch with its result, in order, on rank 0 alone.
  std::function<void(int64_t batch, const RaggedBatch&, std::span<const float> result)> use;
};

/// Runs batches 0 to `batches` - 1; in each round every rank runs one. All ranks make the same
/// call.
void predict_batches(Predictor& predictor, const RankBatches& work, comm::Communicator& world);

}  // namespace bertha::infer
