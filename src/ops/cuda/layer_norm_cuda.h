#pragma once

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"
#include "ops/dropout.h"

namespace bertha::ops {

void layer_norm_cuda(cuda::CudaDevice& device, InOut z, const Tensor& residual, const Tensor& gamma,
                     const Tensor& beta, float eps, const Dropout& dropout, Out y, Out mean,
                     Out rstd);

/// Operands of layer_norm_backward; `partials` is scratch f32 [partial_blocks, 2, H]. `after` is a
/// dropout that followed the LayerNorm, `before` the one inside z.
struct LayerNormGradientCuda {
  Tensor z, mean, rstd, gamma;
  Dropout after, before;
  InOut d;
  Out d_x;
  InOut d_gamma, d_beta;
  Tensor partials;
};
void layer_norm_backward_cuda(cuda::CudaDevice& device, const LayerNormGradientCuda& operands);

}  // namespace bertha::ops
