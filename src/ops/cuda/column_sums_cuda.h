#pragma once

// Sums over the rows of a matrix, for the gradients of biases, gamma and beta, in two passes of a
// fixed order: blocks of rows write partial sums, then these are added block after block. For .cu
// files.

#include <cstdint>

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/partial_sums.h"

namespace bertha::ops {

inline constexpr int kColumnThreads = cuda::kWarp;  ///< threads along the columns
inline constexpr int kRowThreads = 8;               ///< along the rows

/// The grid of a kernel that calls column_partials.
inline cuda::Grid column_grid(const char* name, int64_t rows, int64_t columns, int pack) {
  return {.name = name,
          .blocks = {cuda::blocks_for(columns, int64_t{kColumnThreads} * pack),
                     static_cast<unsigned>(partial_blocks(rows))},
          .threads = {kColumnThreads, kRowThreads}};
}

/// Writes partials [partial_blocks(rows), kSums, columns]. body(row, column, values) adds what the
/// kPack columns from `column` on give in `row` to values [kSums][kPack]. With null partials body
/// is called all the same.
template <int kSums, int kPack, typename Body>
__device__ inline void column_partials(int64_t rows, int columns, float* partials,
                                       const Body& body) {
  __shared__ float of_thread[kRowThreads][kSums][kPack][kColumnThreads];
  const int64_t begin = rows * blockIdx.y / gridDim.y;
  const int64_t end = rows * (blockIdx.y + 1) / gridDim.y;
  const auto column = static_cast<int>((blockIdx.x * kColumnThreads + threadIdx.x) * kPack);
  float sums[kSums][kPack] = {};
  if (column < columns) {
    for (int64_t row = begin + threadIdx.y; row < end; row += kRowThreads) body(row, column, sums);
  }
  if (partials == nullptr) return;
  for (int s = 0; s < kSums; ++s) {
    for (int i = 0; i < kPack; ++i) of_thread[threadIdx.y][s][i][threadIdx.x] = sums[s][i];
  }
  __syncthreads();
  if (threadIdx.y != 0 || column >= columns) return;
  for (int s = 0; s < kSums; ++s) {
    for (int i = 0; i < kPack; ++i) {
      float sum = of_thread[0][s][i][threadIdx.x];
      for (int y = 1; y < kRowThreads; ++y) sum += of_thread[y][s][i][threadIdx.x];
      partials[(int64_t{blockIdx.y} * kSums + s) * columns + column + i] = sum;
    }
  }
}

/// to[c] += Σ over the blocks of partials[block, 0, c]. With `second`, partials are
/// [blocks, 2, columns], and second[c] += Σ partials[block, 1, c]; without it, [blocks, 1,
/// columns].
void add_partials(const cuda::CudaDevice& device, const float* partials, int64_t blocks,
                  int64_t columns, float* to, float* second = nullptr);

}  // namespace bertha::ops
