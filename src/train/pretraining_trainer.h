#pragma once

// The steps of pre-training on one device: micro-batches add gradients, then one update. What
// surrounds a step (data, rates, log, checkpoints) is the run's (pretraining_run.h).

#include <cstdint>
#include <string_view>
#include <vector>

#include "bert/device_batch.h"
#include "bert/parameters.h"
#include "bert/pretraining.h"
#include "comm/communicator.h"
#include "comm/gradient_reducer.h"
#include "core/ragged_batch.h"
#include "core/scalar_slots.h"
#include "optim/optimizer.h"
#include "train/pending_results.h"

namespace bertha::train {

struct TrainerSettings {
  DType compute = DType::kF32;
  bool recompute = false;    ///< run layers again in the backward pass instead of keeping them
  int64_t accumulation = 1;  ///< micro-batches an update, on this rank
  /// How gradients are summed over ranks. A fixed order also holds for micro-batches.
  comm::ReduceOptions sums;
  optim::OptimizerSettings optimizer;
  uint64_t seed = 0;         ///< of dropout
  bert::BatchLimits limits;  ///< of one micro-batch
};

/// Sums of one micro-batch or of an evaluation.
struct LossSums {
  double masked = 0;  ///< sum of the language model's losses
  double next_sentence = 0;
  int64_t masked_count = 0;
  int64_t sequence_count = 0;
  int64_t masked_right = 0;
  int64_t next_sentence_right = 0;

  double masked_mean() const { return mean(masked, masked_count); }
  double next_sentence_mean() const { return mean(next_sentence, sequence_count); }
  double masked_accuracy() const { return mean(static_cast<double>(masked_right), masked_count); }
  double next_sentence_accuracy() const {
    return mean(static_cast<double>(next_sentence_right), sequence_count);
  }
  /// The recipe's loss: mean over masked tokens plus mean over sentence pairs.
  double total() const { return masked_mean() + next_sentence_mean(); }
  LossSums& operator+=(const LossSums& other);

 private:
  /// 0 where there is nothing: rows without a masked token have no loss.
  static double mean(double sum, int64_t count) {
    return count == 0 ? 0 : sum / static_cast<double>(count);
  }
};

class PretrainingTrainer {
 public:
  /// Allocates everything a step needs; steady steps allocate nothing. `device`, `parameters`
  /// (trainable) and `world` must outlive the trainer. Gradients average over the micro-batches of
  /// all ranks of `world`.
  PretrainingTrainer(Device& device, const bert::Config& config, bert::ParameterStore& parameters,
                     const TrainerSettings& settings, comm::Communicator& world = comm::alone());

  /// Queues forward and backward of one micro-batch; gradients add up until update(). `draw`
  /// numbers the micro-batch in the run, for dropout. The last backward pass of a step starts the
  /// all-reduces of gradients that are final.
  void micro_batch(const PretrainingBatch& batch, uint32_t draw);

  /// Puts the histories of fp8 operands back to what they were after the last update. A step that
  /// is dropped in its midst must leave no trace in a checkpoint. Gradients stay: no step follows.
  void drop_micro_batches();

  /// The sums of every micro-batch since the last update, in order. Waits for the device: called
  /// once a step, it lets the host prepare the next batch while this one computes.
  const std::vector<LossSums>& losses();

  /// Gradients become the sum over ranks, with ZeRO-1 of this rank's partition. After the last
  /// micro-batch of a step.
  void all_reduce_gradients() { reducer_.reduce(); }

  /// One update at learning rate `rate`, as the step number `step` (from 1) of the bias
  /// corrections; then gradients are zero again and losses() is empty. A loss or gradient that is
  /// not finite skips the step.
  optim::UpdateResult update(double rate, int64_t step);

  /// Forward alone, without dropout.
  LossSums evaluate(const PretrainingBatch& batch);

  /// False when a weight or moment, of any rank, is NaN or infinite: such a state must not be
  /// saved. With ZeRO-1 all ranks call it.
  bool state_is_finite() { return optimizer_.state_is_finite(context_); }

  optim::Optimizer& optimizer() { return optimizer_; }
  const optim::Optimizer& optimizer() const { return optimizer_; }

  /// Bytes of activations a micro-batch of the limits' size takes.
  int64_t arena_bytes() const { return arena_.capacity_bytes(); }

 private:
  int64_t arena_size(const bert::Config& config) const;
  void copy_fp8_states(const Tensor& from, const Tensor& to);
  void read_pending();
  void queue_results(const PretrainingBatch& batch);
  Segment segment(std::string_view name, const bert::PretrainingInputs& inputs) const;
  bert::PretrainingResults results() const;

  Device& device_;
  bert::ParameterStore& parameters_;
  TrainerSettings settings_;
  comm::Communicator& world_;
  bert::DeviceBatch batch_;
  optim::Optimizer optimizer_;
  comm::GradientReducer reducer_;
  ScalarSlots slots_;
  PendingResults pending_;  ///< a row a micro-batch: masked loss, right ones; the same of sentences
  Buffer fp8_states_;       ///< of the parameters, as they were before the step's micro-batches
  Arena arena_;             // sized by a dry run of what stands above
  Context context_;
  bert::PretrainingModel model_;
  std::vector<LossSums> pending_counts_;  ///< sums still 0
  std::vector<LossSums> losses_;
  int64_t micro_batches_ = 0;  ///< since the last update
};

}  // namespace bertha::train
