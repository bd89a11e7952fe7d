#pragma once

#include <functional>

#include "backend/cuda/cuda_device.h"
#include "ops/attention.h"

namespace bertha::ops {

/// y and lse by cuDNN's kernels (backend/cuda/fused_attention.h). False, and nothing written, where
/// the device has none for this op. The first call of a problem also runs `own`, this program's
/// kernels, on the same operands. Throws Error when the results differ by more than rounding.
bool run_fused_attention(cuda::CudaDevice& device, const Attention& op,
                         const std::function<void()>& own);

}  // namespace bertha::ops
