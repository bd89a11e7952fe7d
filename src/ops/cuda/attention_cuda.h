#pragma once

#include "backend/cuda/cuda_device.h"
#include "ops/attention.h"

namespace bertha::ops {

void attention_cuda(cuda::CudaDevice& device, const Tensor& qkv, const Tensor& seq_start,
                    const AttentionShape& shape, const Dropout& dropout, Out y, Out lse);
/// `delta` is scratch f32 [T,heads].
void attention_backward_cuda(cuda::CudaDevice& device, const Tensor& qkv, const Tensor& seq_start,
                             const AttentionShape& shape, const Dropout& dropout, const Tensor& y,
                             const Tensor& lse, const Tensor& d_y, Out d_qkv, const Tensor& delta);

}  // namespace bertha::ops
