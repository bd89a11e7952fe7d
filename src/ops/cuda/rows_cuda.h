#pragma once

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"

namespace bertha::ops {

/// to[rows[i]] += d[i], summed in f32 in the order of i; d and `to` f32 or bf16 [.,H] each.
void scatter_rows_cuda(const cuda::CudaDevice& device, const Tensor& d, const Tensor& rows,
                       InOut to);

}  // namespace bertha::ops
