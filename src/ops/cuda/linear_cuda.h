#pragma once

#include "backend/cuda/cuda_device.h"
#include "ops/linear.h"

namespace bertha::ops {

/// `scratch` has linear_scratch_cuda's shape and the dtype of its name.
struct LinearScratchCuda {
  Tensor bias;      ///< of x's dtype [N]: the bias where the library takes it so alone
  Tensor partials;  ///< f32 [partial_blocks, 1, N]: sums of d_y
};

void linear_cuda(cuda::CudaDevice& device, const Tensor& x, const Tensor& w, const Tensor& b,
                 Activation activation, Out y, Out saved, const LinearScratchCuda& scratch);
void linear_backward_cuda(cuda::CudaDevice& device, const Tensor& x, const Tensor& w,
                          const Tensor& saved, Activation activation, InOut d_y, InOut d_x,
                          Write d_x_write, InOut d_w, InOut d_b, const LinearScratchCuda& scratch);

}  // namespace bertha::ops
