#pragma once

// The steps of fine-tuning any task model, on one rank: micro-batches add gradients, then one
// update, by default of Adam as in the recipe's run_squad.py. The run (fine_tuning_run.h) does what
// surrounds a step: data, learning rates, log, files.
//
// A micro-batch is cut into parts: one for each rank, or under ReduceOptions::fixed_order as many
// as its size allows, so that gradients are summed in one order however the parts lie on ranks.
// ZeRO-1 partitions the moments and the update; gradients are still all-reduced, since clipping
// needs all of them after every micro-batch.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bert/device_batch.h"
#include "bert/parameters.h"
#include "bert/task_model.h"
#include "comm/communicator.h"
#include "comm/gradient_reducer.h"
#include "core/ragged_batch.h"
#include "core/scalar_slots.h"
#include "optim/optimizer.h"
#include "train/pending_results.h"

namespace bertha::train {

/// A micro-batch with its labels.
struct TaskBatch : RaggedBatch {
  std::vector<int32_t> labels;  ///< of the shape that TaskModel::labels_shape() gives
  std::vector<float> targets;   ///< the same, in place of labels, for a model of f32 labels

  void clear() {
    RaggedBatch::clear();
    labels.clear();
    targets.clear();
  }
};

struct FineTuningSettings {
  DType compute = DType::kF32;
  bool recompute = false;    ///< run layers again in the backward pass
  int64_t accumulation = 1;  ///< micro-batches an update
  bool train_pooler = true;  ///< false: the pooler keeps its weights (the recipe's SQuAD)
  /// The recipe's: gradients are clipped after every micro-batch, Adam corrects no bias.
  optim::OptimizerSettings optimizer = {.kind = optim::OptimizerKind::kAdamW,
                                        .adam = {.weight_decay = 0},
                                        .bias_correction = false,
                                        .clipping = optim::GradientClipping::kInPlace};
  uint64_t seed = 0;  ///< of dropout
  bool dropout = true;
  int64_t parts = 1;       ///< of a micro-batch on this rank
  int64_t max_tokens = 0;  ///< of one part
  int64_t max_sequences = 0;
  comm::ReduceOptions sums = {};  ///< how gradients are summed over parts and ranks
};

/// The result of a micro-batch, over all ranks.
struct TaskLoss {
  double mean = 0;  ///< over all its labels
  int64_t right = 0;
};

class FineTuningTrainer {
 public:
  /// Allocates everything a step needs. All arguments but `settings` must outlive the trainer. All
  /// ranks of `world` make the same calls.
  FineTuningTrainer(Device& device, bert::ParameterStore& parameters, bert::TaskModel& model,
                    const FineTuningSettings& settings, comm::Communicator& world = comm::alone());

  /// Queues forward and backward of this rank's next part of a micro-batch, which may be empty.
  /// `labels` counts those of the whole micro-batch, over all parts and ranks: the loss is their
  /// mean. `draw` numbers the part in the run, for dropout.
  void part(const TaskBatch& batch, int64_t labels, uint32_t draw);
  /// After the last part: gradients are summed over ranks, and their sum since the last update is
  /// clipped. Waits for the device only when there are several ranks.
  void end_micro_batch();

  /// The results of the micro-batches since the last call, in order. Waits for the device and for
  /// the other ranks: called once a step, it lets the host prepare the next batch while this one
  /// computes.
  std::vector<TaskLoss> losses();

  /// Update number `number`, from 1, at learning rate `rate`, then gradients are zero again. After
  /// losses(). False when a loss or gradient was not finite: the weights are as before.
  bool update(double rate, int64_t number);

  optim::Optimizer& optimizer() { return optimizer_; }

 private:
  int64_t arena_size();
  bert::TaskInputs upload(const TaskBatch& batch, int64_t labels, uint32_t draw);
  Tensor upload_labels(const TaskBatch& batch, const bert::EncoderInputs& on);
  void begin_micro_batch();
  void read_pending();
  void check_finite(double value);

  Device& device_;
  bert::ParameterStore& parameters_;
  bert::TaskModel& model_;
  FineTuningSettings settings_;
  comm::Communicator& world_;
  bert::DeviceBatch tokens_;
  optim::Optimizer optimizer_;
  comm::GradientReducer reducer_;
  Buffer labels_;
  std::vector<int32_t> padded_labels_;
  ScalarSlots slots_;
  PendingResults
      pending_;  ///< a row a micro-batch: loss and right ones of each part, then the norm
  Arena arena_;
  Context context_;
  std::vector<int64_t> pending_labels_;  ///< of micro-batches not yet read
  std::vector<double> sums_;             ///< [micro-batches read, 3]: labels, loss, right ones
  int64_t parts_done_ = 0;               ///< of the micro-batch under way
  int64_t labels_in_micro_batch_ = 0;    ///< over all parts and ranks
  bool holds_sum_ = false;               ///< gradients are a sum over ranks already
};

/// The order in which epoch `epoch` takes `count` rows: a function of the seed alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace bertha::train
