#pragma once

#include <cstdint>

#include "backend/cuda/cuda_device.h"
#include "core/dtype.h"

namespace bertha::comm {

/// to[i] = from[i] rounded to nearest even, queued on `stream`; all on the card.
void round_on_card(const cuda::CudaDevice& device, const float* from, BFloat16* to, int64_t count,
                   cuda::Stream stream);
/// The way back.
void widen_on_card(const cuda::CudaDevice& device, const BFloat16* from, float* to, int64_t count,
                   cuda::Stream stream);

}  // namespace bertha::comm
