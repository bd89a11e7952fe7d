#pragma once

// Launches kernels from .cu files without the <<<>>> syntax, which a host compiler cannot read.
// Every launch is checked; the error names the kernel.

#include <cstdint>

#include "backend/cuda/cuda_device.h"
#include "backend/cuda/kernel.h"
#include "core/error.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>

#include <tuple>

#include "backend/cuda/check.h"
#include "backend/cuda/launch_scope.h"
#endif

namespace bertha::cuda {

struct Grid {
  const char* name;  ///< of the kernel, for errors
  dim3 blocks;
  dim3 threads;
  int64_t shared_bytes = 0;  ///< dynamic
  Stream stream = nullptr;   ///< null: the device's own
};

#if defined(__CUDACC__)
template <typename... Parameters, typename... Arguments>
void launch(const CudaDevice& device, const Grid& grid, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  BERTHA_CHECK(grid.blocks.y <= 65535 && grid.blocks.z <= 65535, "{}: grid {} x {} x {}", grid.name,
               grid.blocks.x, grid.blocks.y, grid.blocks.z);
  const auto* const function = reinterpret_cast<const void*>(kernel);
  constexpr int64_t kWithoutAsking = 48 << 10;
  if (grid.shared_bytes > kWithoutAsking) {
    check(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(grid.shared_bytes)),
          grid.name);
  }
  const Stream stream = grid.stream != nullptr ? grid.stream : device.stream();
  const LaunchScope scope(device, grid.name, stream);
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)...};
        check(cudaLaunchKernel(function, grid.blocks, grid.threads, pointers,
                               static_cast<size_t>(grid.shared_bytes), stream),
              grid.name);
      },
      values);
}
#else
template <typename... Parameters, typename... Arguments>
void launch(const CudaDevice&, const Grid& grid, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  emulation::run(grid.blocks, grid.threads, grid.shared_bytes,
                 [&] { kernel(static_cast<Parameters>(arguments)...); });
}
#endif

/// Blocks of `each` that cover `count`.
inline unsigned blocks_for(int64_t count, int64_t each) {
  const int64_t blocks = (count + each - 1) / each;
  BERTHA_CHECK(blocks >= 0 && blocks <= INT32_MAX, "{} blocks", blocks);
  return static_cast<unsigned>(blocks);
}

}  // namespace bertha::cuda
