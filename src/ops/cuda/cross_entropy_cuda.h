#pragma once

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"

namespace bertha::ops {

/// result f32 [2] = the column sums of row_results f64 [rows,2], in a fixed order.
void sum_row_results(const cuda::CudaDevice& device, const Tensor& row_results, int64_t rows,
                     Out result);

}  // namespace bertha::ops
