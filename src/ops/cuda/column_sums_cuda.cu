#include "ops/cuda/column_sums_cuda.h"

namespace bertha::ops {
namespace {

__global__ void add_partials_kernel(const float* partials, int blocks, int64_t stride, int columns,
                                    float* to) {
  __shared__ float of_thread[kRowThreads][kColumnThreads];
  const auto column = static_cast<int>(blockIdx.x * kColumnThreads + threadIdx.x);
  float sum = 0;
  if (column < columns) {
    for (int b = static_cast<int>(threadIdx.y); b < blocks; b += kRowThreads) {
      sum += partials[b * stride + column];
    }
  }
  of_thread[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  for (int y = 1; y < kRowThreads; ++y) sum += of_thread[y][threadIdx.x];
  to[column] += sum;
}

}  // namespace

void add_partials(const cuda::CudaDevice& device, const float* partials, int64_t blocks,
                  int64_t stride, int64_t columns, float* to) {
  cuda::launch(device,
               {.name = "add_partials",
                .blocks = {cuda::blocks_for(columns, kColumnThreads)},
                .threads = {kColumnThreads, kRowThreads}},
               add_partials_kernel, partials, blocks, stride, columns, to);
}

}  // namespace bertha::ops
