#pragma once

// The steps of pre-training on one device: micro-batches add gradients, then one update. What
// surrounds a step (data, rates, log, checkpoints) is the run's (pretraining_run.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bert/device_batch.h"
#include "bert/parameters.h"
#include "bert/pretraining.h"
#include "comm/communicator.h"
#include "comm/gradient_tree.h"
#include "core/ragged_batch.h"
#include "ops/optimizer.h"
#include "optim/moment_store.h"
#include "optim/zero_partition.h"

namespace bertha::train {

enum class OptimizerKind : uint8_t { kLamb, kAdamW };

struct TrainerSettings {
  DType compute = DType::kF32;
  bool recompute = false;    ///< run layers again in the backward pass instead of keeping them
  int64_t accumulation = 1;  ///< micro-batches an update, on this rank
  /// How gradients are summed over ranks; a fixed order goes for micro-batches, too.
  comm::ReduceOptions sums;
  bool partitions_state = false;  ///< ZeRO-1: each rank keeps the moments of, and updates, a share
  OptimizerKind optimizer = OptimizerKind::kLamb;
  ops::AdamSettings adam;
  double max_gradient_norm = 1;  ///< 0: no clipping
  uint64_t seed = 0;             ///< of dropout
  bert::BatchLimits limits;      ///< of one micro-batch
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

class PretrainingTrainer : public optim::MomentStore {
 public:
  /// Allocates everything a step needs; steady steps allocate nothing. `device`, `parameters`
  /// (trainable) and `world` must outlive the trainer. Gradients average over the micro-batches of
  /// all ranks of `world`.
  PretrainingTrainer(Device& device, const bert::Config& config, bert::ParameterStore& parameters,
                     const TrainerSettings& settings, comm::Communicator& world = comm::alone());

  /// Queues forward and backward of one micro-batch; gradients add up until update(). `draw`
  /// numbers the micro-batch in the run, for dropout. During the last backward pass of a step
  /// the sums of gradients over ranks begin.
  void micro_batch(const PretrainingBatch& batch, uint32_t draw);

  /// The sums of every micro-batch since the last update, in order. Waits for the device: asked
  /// once a step, it lets the next batch be prepared while this one computes.
  const std::vector<LossSums>& losses();

  /// Has the next update() skipped: the loss of another rank was not finite.
  void mark_not_finite() { remote_nonfinite_ = true; }
  /// Gradients become the sum over ranks, of this rank's share where state is shared. After the
  /// last micro-batch of a step.
  void all_reduce_gradients();

  /// One update from the gradients gathered, at learning rate `rate`, as the step number `step`
  /// (from 1) of the bias corrections; then gradients are zero again and losses() is empty.
  UpdateResult update(double rate, int64_t step);

  /// Forward alone, without dropout.
  LossSums evaluate(const PretrainingBatch& batch);

  /// False when a weight or moment, of any rank, is NaN or infinite: such a state must not be
  /// saved.
  bool state_is_finite();

  /// Whether each rank has a share of the moments alone. All ranks must then call
  /// state_is_finite(), and gather_moments() before rank 0 reads moments.
  bool partitions_state() const { return partition_.size != parameters_.table().flat_size(); }
  void read_moments(int index, float* first, float* second) const override;
  void write_moments(int index, const float* first, const float* second) override;
  /// Brings all shares into the memory of rank 0's host, for read_moments(); until
  /// drop_gathered_moments().
  void gather_moments();
  void drop_gathered_moments();
  void broadcast_moments() override;

  /// Bytes of activations a micro-batch of the limits' size takes.
  int64_t arena_bytes() const { return arena_.capacity_bytes(); }

 private:
  int64_t measure_arena(const bert::Config& config) const;
  ops::OptimizerBuffers own_buffers() const;
  void optimizer_pass(Context& context, const Tensor& scalars) const;
  double gradient_norm();
  void take_step(const Tensor& scalars);
  void take_shared_step(const Tensor& scalars);
  void apply_lamb(const Tensor& scalars);
  void gradients_final(int64_t from);
  void spread_shares(const Buffer& buffer, std::vector<float>& whole);
  Tensor pending_view(size_t index, int64_t which) const;
  void read_pending();
  void queue_results(const PretrainingBatch& batch);
  Segment segment(std::string_view name, const bert::PretrainingInputs& inputs) const;
  Tensor moment(const Buffer& buffer, int index) const;

  Device& device_;
  bert::ParameterStore& parameters_;
  TrainerSettings settings_;
  comm::Communicator& world_;
  bert::DeviceBatch batch_;
  optim::ZeroPartition partition_;
  Buffer first_;  ///< moments of this rank's share
  Buffer second_;
  Buffer squares_;  ///< f64 [own blocks, 2]
  Buffer ratios_;   ///< f32 [own spans], where state is shared
  Buffer scalars_;  ///< StepScalar, then the gradient norm, then the results, aligned each
  Buffer pending_;  ///< f32 [micro-batches, 2 losses, 2]: results not yet read
  Arena arena_;     // measured with the buffers above
  Context context_;
  bert::PretrainingModel model_;
  std::vector<LossSums> pending_counts_;  ///< sums still 0
  std::vector<float> pending_values_;     ///< kept for its memory
  std::vector<LossSums> losses_;
  bool remote_nonfinite_ = false;  ///< a loss of another rank was not finite
  std::optional<comm::GradientTree> tree_;
  int64_t micro_batches_ = 0;           ///< since the last update
  int64_t unsummed_ = 0;                ///< gradients before it are not yet under way
  std::vector<double> block_squares_;   ///< of all ranks' blocks
  std::vector<float> collected_first_;  ///< on rank 0, all shares
  std::vector<float> collected_second_;
};

}  // namespace bertha::train
