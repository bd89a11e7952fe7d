#pragma once

// The optimizer's passes over the flat buffers. What changes from step to step is a device scalar.
// Spans are in order of offset and do not overlap; what lies between them is not touched. Norms are
// summed in double, by blocks of fixed size in order, and do not depend on the thread count.

#include <cstdint>
#include <span>

#include "core/context.h"

namespace bertha::ops {

/// One parameter's place in the flat buffers, in elements, and whether weight decay acts on it.
struct ParameterSpan {
  int64_t offset = 0;
  int64_t size = 0;
  bool decay = false;
};

/// The flat buffers, f32 [P] each: weights, gradients, first and second moments; `shadow` bf16 [P]
/// or absent is a rounded copy of the weights, written with them.
struct OptimizerBuffers {
  Tensor weights;
  Tensor gradients;
  Tensor first;
  Tensor second;
  Tensor shadow;
};

/// Elements a norm's partial sum covers: fixed, so that norms depend neither on the thread count
/// nor on how the buffers are shared out between ranks, as long as cuts lie between blocks.
inline constexpr int64_t kNormBlock = 1 << 16;
/// Blocks of all spans; none covers two spans.
int64_t norm_blocks(std::span<const ParameterSpan> spans);

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

/// norm f32 [1] = √Σ g², summed in double in a fixed order; NaN or Inf in g comes through.
void global_norm(Context& context, const Tensor& gradients, Out norm);

/// squares f64 [norm_blocks] = Σ x² over each block of the spans, in order.
void square_blocks(Context& context, const Tensor& values, std::span<const ParameterSpan> spans,
                   Out squares);

/// NVLAMB (You et al. 2019, algorithm 2, as NVIDIA's recipe has it): g' = gradient scale * g;
/// m = beta1 m + (1 - beta1) g', v = beta2 v + (1 - beta2) g'²;
/// u = m c1 / (√(v c2) + eps) + decay w; w -= rate * ratio * u, ratio = ‖w‖ / ‖u‖ per parameter
/// that decays and has both norms above 0, else 1. Gradients are used up as scratch (they hold u).
void lamb(Context& context, const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
          const AdamSettings& settings, const Tensor& scalars);

/// LAMB in two halves, for ranks that hold a part of the parameters each. The first writes the
/// moments, u in place of the gradients, and squares f64 [norm_blocks, 2]: of w and of u. The
/// second takes the step; ratios f32 [spans].
void lamb_update(Context& context, const OptimizerBuffers& buffers,
                 std::span<const ParameterSpan> spans, const AdamSettings& settings,
                 const Tensor& scalars, Out squares);
void lamb_apply(Context& context, const OptimizerBuffers& buffers,
                std::span<const ParameterSpan> spans, const Tensor& scalars, const Tensor& ratios);
/// NVLAMB's ratio of a parameter from the squares [blocks, 2] of its blocks, summed in order.
float trust_ratio(bool decays, const AdamSettings& settings, std::span<const double> squares);

/// AdamW (Loshchilov, Hutter 2019): m and v as above; w -= rate * (m c1 / (√(v c2) + eps) + decay
/// w).
void adamw(Context& context, const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
           const AdamSettings& settings, const Tensor& scalars);

/// gradients *= min(1, max_norm / (norm + 1e-6)), norm f32 [1] being global_norm's: the clipping of
/// torch.nn.utils.clip_grad_norm_. A norm of NaN changes nothing.
void clip_norm(Context& context, InOut gradients, const Tensor& norm, float max_norm);

/// The same for each parameter on its own, with its own norm.
void clip_norm_each(Context& context, InOut gradients, std::span<const ParameterSpan> spans,
                    float max_norm);

/// to = from, f32 rounded to bf16 or bf16 widened to f32; sizes equal.
void convert(Context& context, const Tensor& from, Out to);

}  // namespace bertha::ops
