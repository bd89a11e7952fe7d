#pragma once

// The parts of a product that stand around the library's products. For .cu files.

#include "backend/cuda/cuda_device.h"
#include "ops/linear.h"

namespace bertha::ops {

/// y = act(x); nothing for kNone, where both are one tensor.
void activate_cuda(const cuda::CudaDevice& device, Activation activation, const Tensor& x, Out y);

/// Makes d_y the gradient before the activation, and adds its column sums to d_b. `partials` is the
/// scratch of LinearBackward. `maxima`, f32 [gradient_blocks(T, N)] or absent, gets the largest
/// magnitudes of parts of d_y; infinity for a part with an element that is not finite.
void activation_backward_cuda(const cuda::CudaDevice& device, const LinearBackward& op,
                              const Tensor& partials, const Tensor& maxima = {});

}  // namespace bertha::ops
