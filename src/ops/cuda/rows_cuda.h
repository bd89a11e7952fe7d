#pragma once

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"

namespace bertha::ops {

void gather_rows_cuda(cuda::CudaDevice& device, const Tensor& x, const Tensor& rows, Out y);
void gather_rows_backward_cuda(cuda::CudaDevice& device, const Tensor& d_y, const Tensor& rows,
                               InOut d_x);

/// to[rows[i]] += d[i], summed in f32 in the order of i; d and `to` f32 or bf16 [.,H] each.
void scatter_rows_cuda(cuda::CudaDevice& device, const Tensor& d, const Tensor& rows, InOut to);

}  // namespace bertha::ops
