#pragma once

// Errors of the CUDA libraries become one line that names the call.

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include "core/error.h"

namespace bertha::cuda {

/// Too little memory is the user's to mend, all else too (a driver, a broken card); a kernel that
/// read outside its memory shows here as well, at a later call.
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
