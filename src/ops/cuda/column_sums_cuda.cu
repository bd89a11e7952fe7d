#include "ops/cuda/column_sums_cuda.h"

namespace bertha::ops {
namespace {

/// Threads that share the blocks of a column: few loads follow each other in a thread.
constexpr int kBlockThreads = 32;

__global__ void __launch_bounds__(kColumnThreads* kBlockThreads)
    add_partials_kernel(const float* partials, int blocks, int columns, float* to, float* second) {
  __shared__ float of_thread[kBlockThreads][kColumnThreads];
  const auto column = static_cast<int>(blockIdx.x * kColumnThreads + threadIdx.x);
  const int64_t stride = int64_t{gridDim.y} * columns;
  float sum = 0;
  if (column < columns) {
    const float* const own = partials + int64_t{blockIdx.y} * columns + column;
#pragma unroll 4
    for (int b = static_cast<int>(threadIdx.y); b < blocks; b += kBlockThreads) {
      sum += own[b * stride];
    }
  }
  of_thread[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  for (int y = 1; y < kBlockThreads; ++y) sum += of_thread[y][threadIdx.x];
  (blockIdx.y == 0 ? to : second)[column] += sum;
}

}  // namespace

void add_partials(const cuda::CudaDevice& device, const float* partials, int64_t blocks,
                  int64_t columns, float* to, float* second) {
  const unsigned sums = second == nullptr ? 1 : 2;
  cuda::launch(device,
               {.name = "add_partials",
                .blocks = {cuda::blocks_for(columns, kColumnThreads), sums},
                .threads = {kColumnThreads, kBlockThreads}},
               add_partials_kernel, partials, blocks, columns, to, second);
}

}  // namespace bertha::ops
