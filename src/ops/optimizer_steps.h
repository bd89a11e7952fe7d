#pragma once

// The optimizer's passes over the flat buffers of P elements. What changes from step to step is a
// device scalar. Spans are in order of offset and do not overlap; what lies between them is not
// touched. Norms are summed in double, by blocks of fixed size in order, and do not depend on the
// thread count. An op borrows its spans: they must outlive the call, and a device that captures or
// records the call may read them later.

#include <cstdint>
#include <span>
#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// One parameter's place in the flat buffers, in elements, and whether weight decay acts on it.
struct ParameterSpan {
  int64_t offset = 0;
  int64_t size = 0;
  bool decay = false;
};
using Spans = std::span<const ParameterSpan>;

/// The flat buffers, [P] each. The passes differ in what they write; see there.
struct OptimizerBuffers {
  InOut weights;          ///< f32
  InOut gradients;        ///< f32
  InOut exp_avg;          ///< f32: first moments
  InOut exp_avg_sq;       ///< f32: second moments
  Out bf16_weights = {};  ///< bf16: the weights rounded, written with them; or absent
};

/// Elements a norm's partial sum covers: fixed, so that norms depend neither on the thread count
/// nor on how the buffers are partitioned between ranks, as long as cuts lie between blocks.
inline constexpr int64_t kNormBlock = 1 << 16;
/// Blocks of all spans; none covers two spans.
int64_t norm_blocks(Spans spans);

/// Device scalars of a step, f32 [4].
enum StepScalar : int {
  kRate = 0,             ///< learning rate
  kGradientScale = 1,    ///< gradients are multiplied by this (clipping, 1 / loss scale)
  kFirstCorrection = 2,  ///< 1 / (1 - beta1^t), or 1 without bias correction
  kSecondCorrection = 3  ///< 1 / (1 - beta2^t), or 1
};
inline constexpr int64_t kStepScalars = 4;

/// In double: 1 - beta2 of a rounded 0.999 would be off by 1e-5.
struct AdamSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-6;
  double weight_decay = 0.01;
};

/// norm = √Σ x², summed in double in a fixed order; NaN or Inf in x comes through.
struct GlobalNorm {
  Tensor values;  ///< [P] f32
  Out norm;       ///< [1] f32

  static constexpr std::string_view kName = "gradient norm";
  void check() const;
  Cost cost() const;
};
void global_norm(Context& context, const GlobalNorm& op);

/// squares = Σ x² over each block of the spans, in order.
struct SquareBlocks {
  Tensor values;  ///< [P] f32
  Spans spans;
  Out squares;  ///< [norm_blocks] f64

  static constexpr std::string_view kName = "square blocks";
  void check() const;
  Cost cost() const;
};
void square_blocks(Context& context, const SquareBlocks& op);

/// gradients *= min(1, max_norm / (norm + 1e-6)): the clipping of torch.nn.utils.clip_grad_norm_. A
/// norm of NaN changes nothing.
struct ClipNorm {
  InOut gradients;  ///< [P] f32
  Tensor norm;      ///< [1] f32, of GlobalNorm
  float max_norm;

  static constexpr std::string_view kName = "clip";
  void check() const;
  Cost cost() const;
};
void clip_norm(Context& context, const ClipNorm& op);

/// The same for each parameter on its own, with its own norm.
struct ClipNormEach {
  InOut gradients;  ///< [P] f32
  Spans spans;
  float max_norm;

  static constexpr std::string_view kName = "clip each";
  void check() const;
  Cost cost() const;
};
void clip_norm_each(Context& context, const ClipNormEach& op);

/// NVLAMB (You et al. 2019, algorithm 2, as NVIDIA's recipe has it): g' = gradient scale * g;
/// m = beta1 m + (1 - beta1) g', v = beta2 v + (1 - beta2) g'²;
/// u = m c1 / (√(v c2) + eps) + decay w; w -= rate * ratio * u, ratio = ‖w‖ / ‖u‖ per parameter
/// that decays and has both norms above 0, else 1. Gradients are used up as scratch (they hold u).
struct Lamb {
  OptimizerBuffers buffers;
  Spans spans;
  AdamSettings settings;
  Tensor scalars;  ///< [4] f32, of StepScalar

  static constexpr std::string_view kName = "LAMB";
  void check() const;
  Cost cost() const;
};
void lamb(Context& context, const Lamb& op);

/// The first half of LAMB, for ranks that hold a part of the parameters each: writes the moments,
/// and u in place of the gradients.
struct LambUpdate {
  OptimizerBuffers buffers;
  Spans spans;
  AdamSettings settings;
  Tensor scalars;  ///< [4] f32, of StepScalar
  Out squares;     ///< [norm_blocks, 2] f64: Σ x² of each block, of w and of u

  static constexpr std::string_view kName = "LAMB, update";
  void check() const;
  Cost cost() const;
};
void lamb_update(Context& context, const LambUpdate& op);

/// The second half: writes the weights.
struct LambApply {
  OptimizerBuffers buffers;
  Spans spans;
  Tensor scalars;  ///< [4] f32, of StepScalar
  Tensor ratios;   ///< [spans] f32

  static constexpr std::string_view kName = "LAMB, apply";
  void check() const;
  Cost cost() const;
};
void lamb_apply(Context& context, const LambApply& op);

/// NVLAMB's ratio of a parameter from the squares [blocks, 2] of its blocks, summed in order.
float trust_ratio(bool decays, const AdamSettings& settings, std::span<const double> squares);

/// AdamW (Loshchilov, Hutter 2019): m and v as above; w -= rate * (m c1 / (√(v c2) + eps) + decay
/// w). Gradients are read alone.
struct AdamW {
  OptimizerBuffers buffers;
  Spans spans;
  AdamSettings settings;
  Tensor scalars;  ///< [4] f32, of StepScalar

  static constexpr std::string_view kName = "AdamW";
  void check() const;
  Cost cost() const;
};
void adamw(Context& context, const AdamW& op);

}  // namespace bertha::ops
