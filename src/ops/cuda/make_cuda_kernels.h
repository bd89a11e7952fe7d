#pragma once

#include <memory>

#include "backend/cuda/cuda_device.h"
#include "ops/kernels.h"

namespace bertha::ops {

/// The kernels of a CUDA device, which must outlive them. ops/no_cuda holds a stub of this function
/// for programs built without CUDA.
std::shared_ptr<Kernels> make_cuda_kernels(cuda::CudaDevice& device);

}  // namespace bertha::ops
