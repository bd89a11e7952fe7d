#pragma once

// CUDA's handles as values that free themselves.

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <type_traits>

#include "backend/cuda/check.h"

namespace bertha::cuda {

template <auto kDestroy>
struct Destroy {
  template <typename T>
  void operator()(T* handle) const noexcept {
    static_cast<void>(kDestroy(handle));
  }
};
template <typename Handle, auto kDestroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<kDestroy>>;

using OwnedStream = Owned<cudaStream_t, cudaStreamDestroy>;
using OwnedEvent = Owned<cudaEvent_t, cudaEventDestroy>;
using OwnedGraph = Owned<cudaGraph_t, cudaGraphDestroy>;
using OwnedGraphExec = Owned<cudaGraphExec_t, cudaGraphExecDestroy>;
using OwnedLt = Owned<cublasLtHandle_t, cublasLtDestroy>;
using OwnedProduct = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using OwnedLayout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using OwnedPreference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

/// Memory of the GPU that is not the device's: no tensor and no graph names it.
using OwnedMemory = Owned<void*, cudaFree>;

/// Calls create(&handle, arguments...), checks its result, and owns the handle.
template <typename OwnedHandle, typename Create, typename... Arguments>
OwnedHandle make(const char* call, const Create& create, Arguments... arguments) {
  typename OwnedHandle::pointer handle = nullptr;
  check(create(&handle, arguments...), call);
  return OwnedHandle(handle);
}

}  // namespace bertha::cuda
