#pragma once

// The steps of pre-training on one device: micro-batches add gradients, then one update. What
// surrounds a step (data, rates, log, checkpoints) is the run's (pretraining_run.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bert/parameters.h"
#include "bert/pretraining.h"
#include "comm/communicator.h"
#include "comm/gradient_tree.h"
#include "core/ragged_batch.h"
#include "ops/optimizer.h"
#include "train/device_batch.h"

namespace bertha::train {

enum class OptimizerKind : uint8_t { kLamb, kAdamW };

struct TrainerSettings {
  DType compute = DType::kF32;
  bool recompute = false;    ///< run layers again in the backward pass instead of keeping them
  int64_t accumulation = 1;  ///< micro-batches an update, on this rank
  int64_t ranks = 1;         ///< gradients average over accumulation * ranks micro-batches
  bool fixed_order = false;  ///< sum micro-batches as comm/pairwise.h has it
  OptimizerKind optimizer = OptimizerKind::kLamb;
  ops::AdamSettings adam;
  double max_gradient_norm = 1;  ///< 0: no clipping
  uint64_t seed = 0;             ///< of dropout
  BatchLimits limits;            ///< of one micro-batch
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

/// What an update did.
struct UpdateResult {
  double gradient_norm = 0;
  bool skipped = false;  ///< a loss or gradient was not finite; the weights are as before
};

class PretrainingTrainer {
 public:
  /// Allocates everything a step needs; steady steps allocate nothing. `device` and `parameters`
  /// (trainable) must outlive the trainer.
  PretrainingTrainer(Device& device, const bert::Config& config, bert::ParameterStore& parameters,
                     const TrainerSettings& settings);

  /// Queues forward and backward of one micro-batch; gradients add up until update(). `draw`
  /// numbers the micro-batch in the run, for dropout.
  void micro_batch(const PretrainingBatch& batch, uint32_t draw);

  /// The sums of every micro-batch since the last update, in order. Waits for the device: asked
  /// once a step, it lets the next batch be prepared while this one computes.
  const std::vector<LossSums>& losses();

  /// Has the next update() skipped: the loss of another rank was not finite.
  void mark_not_finite() { spoilt_elsewhere_ = true; }
  /// Gradients become the sum over ranks. After the last micro-batch of a step.
  void sum_gradients(comm::Communicator& world, const comm::SumOptions& options);

  /// One update from the gradients gathered, at learning rate `rate`, as the step number `step`
  /// (from 1) of the bias corrections; then gradients are zero again and losses() is empty.
  UpdateResult update(double rate, int64_t step);

  /// Forward alone, without dropout.
  LossSums evaluate(const PretrainingBatch& batch);

  /// False when a weight or moment is NaN or infinite: such a state must not be saved.
  bool state_is_finite();

  /// First and second moments f32 of one parameter, in host order; null: not wanted.
  void read_moments(int index, float* first, float* second) const;
  void write_moments(int index, const float* first, const float* second);
  /// All of them, f32 [P].
  Tensor flat_first() const { return flat(first_); }
  Tensor flat_second() const { return flat(second_); }

  /// Bytes of activations a micro-batch of the limits' size takes.
  int64_t arena_bytes() const { return arena_.capacity_bytes(); }

 private:
  int64_t measure_arena(const bert::Config& config) const;
  void optimizer_pass(Context& context, const Tensor& scalars) const;
  Tensor pending_view(size_t index, int64_t which) const;
  void read_pending();
  void queue_results(const PretrainingBatch& batch);
  Segment segment(std::string_view name, const bert::PretrainingInputs& inputs) const;
  Tensor moment(const Buffer& buffer, int index) const;
  Tensor flat(const Buffer& buffer) const;

  Device& device_;
  bert::ParameterStore& parameters_;
  TrainerSettings settings_;
  DeviceBatch batch_;
  std::vector<ops::ParameterSpan> spans_;
  Buffer first_;
  Buffer second_;
  Buffer scalars_;  ///< StepScalar, then the gradient norm, then the results, aligned each
  Buffer pending_;  ///< f32 [micro-batches, 2 losses, 2]: results not yet read
  Arena arena_;     // measured with the buffers above
  Context context_;
  bert::PretrainingModel model_;
  std::vector<LossSums> pending_counts_;  ///< sums still 0
  std::vector<LossSums> losses_;
  bool spoilt_elsewhere_ = false;  ///< a loss of another rank was not finite
  std::optional<comm::GradientTree> tree_;
};

}  // namespace bertha::train
