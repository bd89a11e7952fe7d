#pragma once

#include <cstdint>

#include "backend/cuda/cuda_device.h"
#include "core/dtype.h"

namespace bertha::comm {

/// Queues to[i] = from[i], rounded to nearest even, on `stream`. Both arrays are on the GPU.
void round_on_gpu(const cuda::CudaDevice& device, const float* from, BFloat16* to, int64_t count,
                  cuda::Stream stream);
/// Queues the conversion from bf16 to f32.
void widen_on_gpu(const cuda::CudaDevice& device, const BFloat16* from, float* to, int64_t count,
                  cuda::Stream stream);

}  // namespace bertha::comm
