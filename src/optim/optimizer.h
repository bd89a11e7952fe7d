#pragma once

// The optimizer of a training run: gradient clipping, bias correction, the LAMB or AdamW step, the
// moments, and with ZeRO-1 their partition over ranks. A trainer adds gradients to the flat buffer
// and sums them over ranks; the rest of an update happens here.

#include <cstdint>
#include <vector>

#include "bert/parameters.h"
#include "comm/communicator.h"
#include "core/context.h"
#include "core/scalar_slots.h"
#include "ops/optimizer_steps.h"
#include "optim/gradient_clipping.h"
#include "optim/moment_store.h"
#include "optim/zero_partition.h"

namespace bertha::optim {

enum class OptimizerKind : uint8_t { kLamb, kAdamW };

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::kLamb;
  ops::AdamSettings adam = {};
  bool bias_correction = true;
  double max_gradient_norm = 1;  ///< 0: no clipping
  GradientClipping clipping = GradientClipping::kInUpdate;
  /// With kInPlace: update() first clips each parameter's gradient by its own norm (BertAdam).
  bool clip_each = false;
  /// ZeRO-1: each rank keeps the moments of one partition and updates it. The weights have the same
  /// bits as without it.
  bool zero = false;
  /// The next backward pass overwrites the gradients of the encoder's products, so that update()
  /// leaves them.
  bool products_overwrite = false;
};

/// What an update did.
struct UpdateResult {
  double gradient_norm = 0;  ///< before clipping; with kInPlace 0
  bool skipped = false;  ///< a loss or gradient was not finite; weights and moments are unchanged
};

class Optimizer : public MomentStore {
 public:
  /// Updates the parameters of `spans` (in order of offset); the others keep their values. Moments
  /// start at 0. `parameters` (trainable) and `world` must outlive the optimizer.
  Optimizer(bert::ParameterStore& parameters, std::vector<ops::ParameterSpan> spans,
            const OptimizerSettings& settings, comm::Communicator& world);

  /// Calls every op in a dry `context`, so that its arena learns the scratch memory they need.
  void dry_run(Context& context) const;

  /// True with ZeRO-1 on several ranks: each rank holds the moments of its partition alone. All
  /// ranks must then call state_is_finite(), and gather_moments() before rank 0 reads moments.
  bool partitioned() const { return partition_.bounds.size() > 2; }
  /// Elements [bounds[r], bounds[r + 1]) of the flat buffers belong to rank r.
  const std::vector<int64_t>& partition_bounds() const { return partition_.bounds; }

  /// With kInPlace: queues the global norm of the gradients and their clipping. Returns the norm
  /// before clipping, a device view f32 [1] that the next call overwrites.
  Tensor clip_gradients(Context& context);

  /// Makes the next update() skip its step: a loss was not finite, here or on another rank.
  void mark_not_finite() { nonfinite_ = true; }

  /// One step at learning rate `rate`; `step`, from 1, is its number in the bias corrections. Then
  /// gradients are zero again. Skips the step after mark_not_finite(), and with kInUpdate also when
  /// the gradient norm is not finite.
  UpdateResult update(Context& context, double rate, int64_t step);

  /// False when a weight or moment, of any rank, is NaN or infinite.
  bool state_is_finite(Context& context);

  void read_moments(int index, float* exp_avg, float* exp_avg_sq) const override;
  void write_moments(int index, const float* exp_avg, const float* exp_avg_sq) override;
  void broadcast_moments() override;
  void gather_moments() override;
  void drop_gathered_moments() override;

 private:
  size_t own_rank() const;
  Segment segment(std::string_view name) const;
  ops::OptimizerBuffers own_buffers() const;
  Tensor scalars() const;
  Tensor moment(const Buffer& buffer, int index) const;
  void clip_each(Context& context) const;
  void pass(Context& context) const;
  double gradient_norm(Context& context);
  void write_scalars(double rate, int64_t step, double gradient_norm);
  void take_step(Context& context);
  void zero_gradients(Context& context);
  void take_partitioned_step(Context& context);
  void take_partitioned_lamb_step(Context& context);
  std::vector<float> trust_ratios(std::span<const double> squares) const;
  void scatter_moment(const Buffer& buffer, std::vector<float>& whole);

  bert::ParameterStore& parameters_;
  Device& device_;
  comm::Communicator& world_;
  OptimizerSettings settings_;
  std::vector<ops::ParameterSpan> spans_;  ///< of all ranks
  ZeroPartition partition_;
  Buffer exp_avg_;  ///< f32, the moments of this rank's partition
  Buffer exp_avg_sq_;
  Buffer squares_;  ///< f64 [own blocks, 2]
  Buffer ratios_;   ///< f32 [own spans], with ZeRO-1
  ScalarSlots slots_;
  std::vector<bert::FlatRange> outside_products_;
  bool nonfinite_ = false;
  std::vector<double> block_squares_;    ///< of all ranks' blocks
  std::vector<float> gathered_exp_avg_;  ///< on rank 0, of all partitions
  std::vector<float> gathered_exp_avg_sq_;
};

}  // namespace bertha::optim
