#pragma once

#include "ops/optimizer.h"

namespace bertha::ops {

/// Elements a norm's partial sum covers: fixed, so that norms do not depend on the thread count.
inline constexpr int64_t kNormBlock = 1 << 16;
/// Blocks of all spans; none covers two spans.
int64_t norm_blocks(std::span<const ParameterSpan> spans);

/// `blocks` is scratch, f64 [norm_blocks, 2]; `factors` scratch, f32 [spans].
struct NormScratch {
  Tensor blocks;
  Tensor factors;
};

void global_norm_cpu(const Tensor& gradients, Out norm, const NormScratch& scratch);
void clip_norm_cpu(InOut gradients, const Tensor& norm, float max_norm);
void clip_norm_each_cpu(InOut gradients, std::span<const ParameterSpan> spans, float max_norm,
                        const NormScratch& scratch);
void lamb_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
              const AdamSettings& settings, const Tensor& scalars, const NormScratch& scratch);
void adamw_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
               const AdamSettings& settings, const Tensor& scalars);
void convert_cpu(const Tensor& from, Out to);

}  // namespace bertha::ops
