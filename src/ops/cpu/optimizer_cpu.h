#pragma once

#include "ops/optimizer.h"

namespace bertha::ops {

/// `blocks` is scratch, f64 [norm_blocks, 2]; `factors` scratch, f32 [spans].
struct NormScratch {
  Tensor blocks;
  Tensor factors;
};

void global_norm_cpu(const Tensor& gradients, Out norm, const NormScratch& scratch);
void clip_norm_cpu(InOut gradients, const Tensor& norm, float max_norm);
void clip_norm_each_cpu(InOut gradients, std::span<const ParameterSpan> spans, float max_norm,
                        const NormScratch& scratch);
void square_blocks_cpu(const Tensor& values, std::span<const ParameterSpan> spans, Out squares);
void lamb_update_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
                     const AdamSettings& settings, const Tensor& scalars, Out squares);
void lamb_apply_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
                    const Tensor& scalars, const Tensor& ratios);
void lamb_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
              const AdamSettings& settings, const Tensor& scalars, const NormScratch& scratch);
void adamw_cpu(const OptimizerBuffers& buffers, std::span<const ParameterSpan> spans,
               const AdamSettings& settings, const Tensor& scalars);
void convert_cpu(const Tensor& from, Out to);

}  // namespace bertha::ops
