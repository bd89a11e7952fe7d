#include "comm/nccl/round.h"

#include <algorithm>

#include "backend/cuda/kernel_launch.h"

namespace bertha::comm {
namespace {

constexpr int kThreads = 256;

/// Pieces of a flat buffer may have any alignment, so the kernel works element by element with a
/// grid-stride loop.
template <typename From, typename To>
__global__ void __launch_bounds__(kThreads)
    convert_kernel(const From* from, To* to, int64_t count) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    to[i] = cuda::narrow<To>(cuda::widen(from[i]));
  }
}

template <typename From, typename To>
void convert(const cuda::CudaDevice& device, const From* from, To* to, int64_t count,
             cuda::Stream stream) {
  constexpr int64_t kMostBlocks = 1024;
  cuda::launch(device,
               {.name = "round_for_the_wire",
                .blocks = {std::min(cuda::blocks_for(count, kThreads), unsigned{kMostBlocks})},
                .threads = {kThreads},
                .stream = stream},
               convert_kernel<From, To>, from, to, count);
}

}  // namespace

void round_on_gpu(const cuda::CudaDevice& device, const float* from, BFloat16* to, int64_t count,
                  cuda::Stream stream) {
  convert(device, from, to, count, stream);
}

void widen_on_gpu(const cuda::CudaDevice& device, const BFloat16* from, float* to, int64_t count,
                  cuda::Stream stream) {
  convert(device, from, to, count, stream);
}

}  // namespace bertha::comm
