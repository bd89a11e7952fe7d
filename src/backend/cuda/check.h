#pragma once

// Errors of the CUDA libraries become one line that names the call.

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "core/error.h"

namespace bertha::cuda {

/// Reports every CUDA failure as Error: too little memory, a driver that does not fit, a broken
/// GPU. Kernels fail asynchronously, so a bad access may surface at a later call.
inline void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  fail("CUDA: {}: {} ({})", call, cudaGetErrorString(status), cudaGetErrorName(status));
}

inline void check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail("cuBLASLt: {}: {}", call, cublasLtGetStatusString(status));
}

}  // namespace bertha::cuda

/// Evaluates a call of CUDA or cuBLASLt once; throws Error with its text unless it succeeded.
#define BERTHA_CUDA(call) ::bertha::cuda::check((call), #call)
