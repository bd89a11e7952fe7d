#pragma once

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"

namespace bertha::ops {

/// `parts` f64 [N * C, 2] is scratch: each label's loss and hit.
void sequence_cross_entropy_cuda(cuda::CudaDevice& device, InOut logits, const Tensor& seq_start,
                                 const Tensor& labels, const Tensor& scale, const Tensor& parts,
                                 Out result);

}  // namespace bertha::ops
