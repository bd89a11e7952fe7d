#pragma once

#include "backend/cuda/cuda_device.h"
#include "ops/layer_norm.h"

namespace bertha::ops {

/// The backward pass of y = after(LayerNorm(z)), where `after` is a dropout: LayerNormBackward's
/// own without it, embedding's with it. `partials` is scratch, partial_sums().
void layer_norm_backward_cuda(const cuda::CudaDevice& device, const LayerNormBackward& op,
                              const Dropout& after, const Tensor& partials);

}  // namespace bertha::ops
