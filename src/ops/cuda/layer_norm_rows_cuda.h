#pragma once

// One row of LayerNorm by one block, which embedding shares. For .cu files.

#include <cstdint>

#include "backend/cuda/kernel.h"
#include "ops/cuda/dropout_cuda.h"

namespace bertha::ops {

inline constexpr int kNormThreads = 128;

/// Where a row's results go.
template <typename E>
struct NormRow {
  E* y;
  float* mean;
  float* rstd;
};

/// `row` [columns] in shared memory holds z as it is stored, each element written by the thread
/// that reads it here; `sum` is the sum of this thread's. y = after(LayerNorm(z)), element
/// `first` + column of the dropout. Statistics are two-pass.
template <typename E, int kPack>
__device__ inline void normalise(const float* row, float sum, const float* gamma, const float* beta,
                                 float eps, const DropoutArguments& after, int64_t first,
                                 const NormRow<E>& to, int columns) {
  const float mean =
      cuda::block_reduce<kNormThreads>(sum, cuda::Sum()) / static_cast<float>(columns);
  const int begin = static_cast<int>(threadIdx.x) * kPack;
  float squares = 0;
  for (int c = begin; c < columns; c += kNormThreads * kPack) {
    for (int i = 0; i < kPack; ++i) squares += (row[c + i] - mean) * (row[c + i] - mean);
  }
  const float variance =
      cuda::block_reduce<kNormThreads>(squares, cuda::Sum()) / static_cast<float>(columns);
  const float rstd = 1.0F / sqrtf(variance + eps);
  for (int c = begin; c < columns; c += kNormThreads * kPack) {
    float y[kPack], scale[kPack], shift[kPack];
    cuda::load(gamma + c, scale);
    cuda::load(beta + c, shift);
    for (int i = 0; i < kPack; ++i) y[i] = (row[c + i] - mean) * rstd * scale[i] + shift[i];
    drop(after, first + c, y);
    cuda::store(to.y + c, y);
  }
  if (threadIdx.x == 0) {
    *to.mean = mean;
    *to.rstd = rstd;
  }
}

}  // namespace bertha::ops
