// A block takes a row, which it keeps in shared memory as f32; rows are in device memory read once
// and written once in the forward pass. The backward pass reads d and z twice: once for the sums
// over rows (gamma, beta), once for the gradient of the rows, which overwrites d.

#include "ops/cuda/layer_norm_cuda.h"

#include "backend/cuda/launch.h"
#include "ops/cuda/column_sums_cuda.h"
#include "ops/cuda/dropout_cuda.h"
#include "ops/cuda/layer_norm_rows_cuda.h"

namespace bertha::ops {
namespace {

using cuda::kElementPack;

template <typename E>
struct ForwardArguments {
  E* z;
  const E* residual;
  const float* gamma;
  const float* beta;
  float eps;
  DropoutArguments dropout;
  E* y;
  float* mean;
  float* rstd;
  int columns;
};

template <typename E, int kPack>
__global__ void __launch_bounds__(kNormThreads) forward_kernel(ForwardArguments<E> a) {
  auto* const row = cuda::dynamic_shared<float>();
  const int64_t at = int64_t{blockIdx.x} * a.columns;
  const bool changes = a.residual != nullptr || a.dropout.seed != nullptr;
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x) * kPack; c < a.columns; c += kNormThreads * kPack) {
    float z[kPack];
    cuda::load(a.z + at + c, z);
    drop(a.dropout, at + c, z);
    if (a.residual != nullptr) {
      float other[kPack];
      cuda::load(a.residual + at + c, other);
      for (int i = 0; i < kPack; ++i) z[i] += other[i];
    }
    if (changes) cuda::store(a.z + at + c, z);
    for (int i = 0; i < kPack; ++i) {
      // What the backward pass will read.
      row[c + i] = cuda::widen(cuda::narrow<E>(z[i]));
      sum += row[c + i];
    }
  }
  normalise<E, kPack>(row, sum, a.gamma, a.beta, a.eps, {}, 0,
                      {a.y + at, a.mean + blockIdx.x, a.rstd + blockIdx.x}, a.columns);
}

template <typename E>
struct BackwardArguments {
  const E* z;
  const float* mean;
  const float* rstd;
  const float* gamma;
  DropoutArguments before;
  E* d;
  E* d_x;
  float* partials;
  int64_t rows;
  int columns;
};

/// Partial sums of d_gamma, then of d_beta.
template <typename E, int kPack>
__global__ void sums_kernel(BackwardArguments<E> a) {
  column_partials<2, kPack>(a.rows, a.columns, a.partials,
                            [&](int64_t row, int column, float(&sums)[2][kPack]) {
                              float z[kPack], d[kPack];
                              cuda::load(a.z + row * a.columns + column, z);
                              cuda::load(a.d + row * a.columns + column, d);
                              for (int i = 0; i < kPack; ++i) {
                                sums[0][i] += d[i] * ((z[i] - a.mean[row]) * a.rstd[row]);
                                sums[1][i] += d[i];
                              }
                            });
}

/// With g = d gamma and unit = (z - mean) rstd: d_z = rstd (g - mean(g) - unit mean(g unit)).
template <typename E, int kPack>
__global__ void __launch_bounds__(kNormThreads) rows_kernel(BackwardArguments<E> a) {
  auto* const g = cuda::dynamic_shared<float>();
  float* const unit = g + a.columns;
  const int64_t at = int64_t{blockIdx.x} * a.columns;
  const float mean = a.mean[blockIdx.x];
  const float rstd = a.rstd[blockIdx.x];
  const int begin = static_cast<int>(threadIdx.x) * kPack;
  float sum = 0;
  float sum_unit = 0;
  for (int c = begin; c < a.columns; c += kNormThreads * kPack) {
    float z[kPack], d[kPack], scale[kPack];
    cuda::load(a.z + at + c, z);
    cuda::load(a.d + at + c, d);
    cuda::load(a.gamma + c, scale);
    for (int i = 0; i < kPack; ++i) {
      g[c + i] = d[i] * scale[i];
      unit[c + i] = (z[i] - mean) * rstd;
      sum += g[c + i];
      sum_unit += g[c + i] * unit[c + i];
    }
  }
  const auto count = static_cast<float>(a.columns);
  const float mean_g = cuda::block_reduce<kNormThreads>(sum, cuda::Sum()) / count;
  const float mean_g_unit = cuda::block_reduce<kNormThreads>(sum_unit, cuda::Sum()) / count;
  for (int c = begin; c < a.columns; c += kNormThreads * kPack) {
    float d[kPack];
    for (int i = 0; i < kPack; ++i) d[i] = rstd * (g[c + i] - mean_g - unit[c + i] * mean_g_unit);
    cuda::store(a.d + at + c, d);
    if (a.d_x == nullptr) continue;
    drop(a.before, at + c, d);
    cuda::store(a.d_x + at + c, d);
  }
}

template <typename E, int kPack>
__global__ void drop_kernel(E* values, int64_t packs, DropoutArguments dropout) {
  const int64_t pack = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (pack >= packs) return;
  float v[kPack];
  cuda::load(values + pack * kPack, v);
  drop(dropout, pack * kPack, v);
  cuda::store(values + pack * kPack, v);
}

template <typename E, int kPack>
void forward(const cuda::CudaDevice& device, const ForwardArguments<E>& arguments, int64_t rows) {
  cuda::launch(device,
               {.name = "layer_norm",
                .blocks = {static_cast<unsigned>(rows)},
                .threads = {kNormThreads},
                .shared_bytes = arguments.columns * int64_t{sizeof(float)}},
               forward_kernel<E, kPack>, arguments);
}

template <typename E>
void forward_of(const cuda::CudaDevice& device, InOut z, const Tensor& residual,
                const Tensor& gamma, const Tensor& beta, float eps, const Dropout& dropout, Out y,
                Out mean, Out rstd) {
  const int64_t columns = z.tensor().dim(1);
  const ForwardArguments<E> arguments = {.z = cuda::data<E>(z),
                                         .residual = cuda::data<E>(residual),
                                         .gamma = cuda::data<float>(gamma),
                                         .beta = cuda::data<float>(beta),
                                         .eps = eps,
                                         .dropout = dropout_arguments(dropout),
                                         .y = cuda::data<E>(y),
                                         .mean = cuda::data<float>(mean),
                                         .rstd = cuda::data<float>(rstd),
                                         .columns = static_cast<int>(columns)};
  if (columns % kElementPack == 0) {
    forward<E, kElementPack>(device, arguments, z.tensor().dim(0));
  } else {
    forward<E, 1>(device, arguments, z.tensor().dim(0));
  }
}

template <typename E, int kPack>
void backward(const cuda::CudaDevice& device, const LayerNormGradientCuda& operands) {
  const BackwardArguments<E> a = {.z = cuda::data<E>(operands.z),
                                  .mean = cuda::data<float>(operands.mean),
                                  .rstd = cuda::data<float>(operands.rstd),
                                  .gamma = cuda::data<float>(operands.gamma),
                                  .before = dropout_arguments(operands.before),
                                  .d = cuda::data<E>(operands.d),
                                  .d_x = cuda::data<E>(operands.d_x),
                                  .partials = cuda::data<float>(Out(operands.partials)),
                                  .rows = operands.z.dim(0),
                                  .columns = static_cast<int>(operands.z.dim(1))};
  if (operands.after.active()) {
    constexpr unsigned kThreads = 256;
    const int64_t packs = operands.z.size() / kPack;
    cuda::launch(
        device,
        {.name = "dropout", .blocks = {cuda::blocks_for(packs, kThreads)}, .threads = {kThreads}},
        drop_kernel<E, kPack>, a.d, packs, dropout_arguments(operands.after));
  }
  cuda::launch(device, column_grid("layer_norm_sums", a.rows, a.columns, kPack),
               sums_kernel<E, kPack>, a);
  const int64_t blocks = partial_blocks(a.rows);
  add_partials(device, a.partials, blocks, 2 * a.columns, a.columns,
               cuda::data<float>(operands.d_gamma));
  add_partials(device, a.partials + a.columns, blocks, 2 * a.columns, a.columns,
               cuda::data<float>(operands.d_beta));
  cuda::launch(device,
               {.name = "layer_norm_backward",
                .blocks = {static_cast<unsigned>(a.rows)},
                .threads = {kNormThreads},
                .shared_bytes = 2 * a.columns * int64_t{sizeof(float)}},
               rows_kernel<E, kPack>, a);
}

template <typename E>
void backward_of(const cuda::CudaDevice& device, const LayerNormGradientCuda& operands) {
  if (operands.z.dim(1) % kElementPack == 0) {
    backward<E, kElementPack>(device, operands);
  } else {
    backward<E, 1>(device, operands);
  }
}

}  // namespace

void layer_norm_cuda(cuda::CudaDevice& device, InOut z, const Tensor& residual, const Tensor& gamma,
                     const Tensor& beta, float eps, const Dropout& dropout, Out y, Out mean,
                     Out rstd) {
  const auto rows = z.tensor().dtype() == DType::kF32 ? forward_of<float> : forward_of<BFloat16>;
  rows(device, z, residual, gamma, beta, eps, dropout, y, mean, rstd);
}

void layer_norm_backward_cuda(cuda::CudaDevice& device, const LayerNormGradientCuda& operands) {
  const auto rows = operands.z.dtype() == DType::kF32 ? backward_of<float> : backward_of<BFloat16>;
  rows(device, operands);
}

}  // namespace bertha::ops
