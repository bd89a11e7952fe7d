#pragma once

// Fine-tuning of any task model on one device: micro-batches add gradients, then one update of Adam
// without bias correction, as the recipe's run_squad.py. What surrounds a step (data, rates, log,
// files) is the run's.

#include <cstdint>
#include <vector>

#include "bert/parameters.h"
#include "bert/task_model.h"
#include "core/ragged_batch.h"
#include "ops/optimizer.h"
#include "train/device_batch.h"

namespace bertha::train {

/// A micro-batch with its labels.
struct TaskBatch : RaggedBatch {
  std::vector<int32_t> labels;  ///< [N, labels_per_sequence]

  void clear() {
    RaggedBatch::clear();
    labels.clear();
  }
};

struct FineTuningSettings {
  DType compute = DType::kF32;
  bool recompute = false;        ///< run layers again in the backward pass
  int64_t accumulation = 1;      ///< micro-batches an update
  bool train_pooler = true;      ///< false: the recipe's question answering leaves it alone
  bool clip_each = false;        ///< each parameter's gradient is clipped on its own besides
  double max_gradient_norm = 1;  ///< after every micro-batch, on what has been added up
  ops::AdamSettings adam = {.weight_decay = 0};
  uint64_t seed = 0;  ///< of dropout
  bool dropout = true;
  int64_t max_tokens = 0;  ///< of one micro-batch
  int64_t max_sequences = 0;
};

/// What a micro-batch gave.
struct TaskLoss {
  double mean = 0;  ///< over all its labels
  int64_t right = 0;
};

class FineTuningTrainer {
 public:
  /// Allocates everything a step needs. Everything referred to must outlive the trainer.
  FineTuningTrainer(Device& device, bert::ParameterStore& parameters, bert::TaskModel& model,
                    const FineTuningSettings& settings);

  /// Forward and backward; gradients add up until update(). `draw` numbers the micro-batch in the
  /// run, for dropout.
  TaskLoss micro_batch(const TaskBatch& batch, uint32_t draw);

  /// One update at learning rate `rate`, then gradients are zero again. False when a loss or
  /// gradient was not finite: the weights are as before.
  bool update(double rate);

 private:
  int64_t measure_arena();
  bert::TaskInputs upload(const TaskBatch& batch, uint32_t draw);
  /// Queues the norm of the gradients and the clipping.
  void clip();
  void optimizer_pass(Context& context);
  Tensor slot(int64_t number, int64_t count) const;

  Device& device_;
  bert::ParameterStore& parameters_;
  bert::TaskModel& model_;
  FineTuningSettings settings_;
  DeviceBatch tokens_;
  std::vector<ops::ParameterSpan> spans_;
  Buffer labels_;
  Buffer first_;
  Buffer second_;
  Buffer scalars_;
  Arena arena_;
  Context context_;
  bool finite_ = true;
};

/// Forward passes of a task model.
class TaskPredictor {
 public:
  TaskPredictor(Device& device, const bert::ParameterStore& parameters, bert::TaskModel& model,
                int64_t max_tokens, int64_t max_sequences);

  /// The batch's logits, as TaskModel::logits_shape of its tokens says; valid until the next call.
  const std::vector<float>& predict(const RaggedBatch& batch);

 private:
  int64_t measure_arena();

  Device& device_;
  bert::TaskModel& model_;
  DType compute_;
  DeviceBatch tokens_;
  Arena arena_;
  Context context_;
  std::vector<float> logits_;
};

/// The order in which epoch `epoch` takes `count` rows: a function of the seed alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace bertha::train
