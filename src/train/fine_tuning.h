#pragma once

// Fine-tuning of any task model, one rank's part of it: micro-batches add gradients, then one
// update of Adam, without bias correction as the recipe's run_squad.py unless asked for. What
// surrounds a step (data, rates, log, files) is the run's (fine_tuning_run.h).
//
// A micro-batch is cut into parts: one for each rank, or under ReduceOptions::fixed_order as many
// as its size allows, so that gradients are summed in one order however the parts lie on ranks.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bert/device_batch.h"
#include "bert/parameters.h"
#include "bert/task_model.h"
#include "comm/communicator.h"
#include "comm/gradient_tree.h"
#include "core/ragged_batch.h"
#include "ops/optimizer.h"
#include "optim/moment_store.h"

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
  bool bias_correction = false;
  uint64_t seed = 0;  ///< of dropout
  bool dropout = true;
  int64_t parts = 1;       ///< of a micro-batch on this rank
  int64_t max_tokens = 0;  ///< of one part
  int64_t max_sequences = 0;
  comm::ReduceOptions sums = {};  ///< how gradients are summed over parts and ranks
};

/// What a micro-batch gave, over all ranks.
struct TaskLoss {
  double mean = 0;  ///< over all its labels
  int64_t right = 0;
};

class FineTuningTrainer : public optim::MomentStore {
 public:
  /// Allocates everything a step needs. Everything referred to must outlive the trainer. All ranks
  /// of `world` make the same calls.
  FineTuningTrainer(Device& device, bert::ParameterStore& parameters, bert::TaskModel& model,
                    const FineTuningSettings& settings, comm::Communicator& world = comm::alone());

  /// Queues forward and backward of this rank's next part of a micro-batch, which may be empty.
  /// `sequences` are those of the whole micro-batch, over all parts and ranks; `draw` numbers the
  /// part in the run, for dropout.
  void part(const TaskBatch& batch, int64_t sequences, uint32_t draw);
  /// After the last part: gradients are summed over ranks and what has been added up since the
  /// last update is clipped. Only a sum over ranks waits for the device.
  void end_micro_batch();

  /// What each micro-batch since the last call gave, in order. Waits for the device and for the
  /// other ranks: asked once a step, it lets the next batch be prepared while this one computes.
  std::vector<TaskLoss> losses();

  /// Update number `number`, from 1, at learning rate `rate`, then gradients are zero again. After
  /// losses(). False when a loss or gradient was not finite: the weights are as before.
  bool update(double rate, int64_t number);

  void read_moments(int index, float* first, float* second) const override;
  void write_moments(int index, const float* first, const float* second) override;
  void broadcast_moments() override;

 private:
  int64_t measure_arena();
  bert::TaskInputs upload(const TaskBatch& batch, int64_t sequences, uint32_t draw);
  void begin_micro_batch();
  void read_pending();
  Tensor pending(int64_t micro_batch, int64_t place) const;
  /// Queues the norm of the gradients and the clipping.
  void clip();
  void optimizer_pass(Context& context);
  Tensor slot(int64_t number, int64_t count) const;
  Tensor flat(const Buffer& buffer) const;
  Tensor moment(const Buffer& buffer, int index) const;

  Device& device_;
  bert::ParameterStore& parameters_;
  bert::TaskModel& model_;
  FineTuningSettings settings_;
  comm::Communicator& world_;
  bert::DeviceBatch tokens_;
  std::vector<ops::ParameterSpan> spans_;
  Buffer labels_;
  Buffer first_;
  Buffer second_;
  Buffer scalars_;
  Buffer pending_;  ///< f32 [accumulation, parts + 1, 2]: results not yet read, then the norm
  Arena arena_;
  Context context_;
  std::optional<comm::GradientTree> tree_;
  std::vector<int64_t> pending_labels_;  ///< of micro-batches not yet read
  std::vector<double> sums_;             ///< [micro-batches read, 3]: labels, loss, right ones
  int64_t parts_done_ = 0;               ///< of the micro-batch under way
  bool holds_sum_ = false;               ///< gradients are a sum over ranks already
  bool finite_ = true;
};

/// Forward passes of a task model.
class TaskPredictor {
 public:
  TaskPredictor(Device& device, const bert::ParameterStore& parameters, bert::TaskModel& model,
                int64_t max_tokens, int64_t max_sequences);

  /// The batch's logits, as TaskModel::logits_shape of its tokens says; valid until the next call.
  const std::vector<float>& predict(const RaggedBatch& batch);
  /// How many logits a batch has.
  int64_t logits_of(const RaggedBatch& batch) const {
    return model_.logits_shape(batch.tokens(), batch.sequences()).size();
  }

 private:
  int64_t measure_arena();

  Device& device_;
  bert::TaskModel& model_;
  DType compute_;
  bert::DeviceBatch tokens_;
  Arena arena_;
  Context context_;
  std::vector<float> logits_;
};

/// Runs batches 0 to `batches` - 1, those of a round on as many ranks. `fill` puts a batch
/// together, on every rank; `use` gets each with its logits, in order, on rank 0 alone.
struct BatchedPrediction {
  int64_t batches = 0;
  std::function<void(int64_t batch, RaggedBatch& to)> fill;
  std::function<void(int64_t batch, const RaggedBatch&, std::span<const float> logits)> use;
};
void predict_batches(TaskPredictor& predictor, const BatchedPrediction& prediction,
                     comm::Communicator& world = comm::alone());

/// The order in which epoch `epoch` takes `count` rows: a function of the seed alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace bertha::train
