// A block takes a row, which it keeps in shared memory as f32; rows are in device memory read once
// and written once in the forward pass. The backward pass reads d and z twice: once for the sums
// over rows (gamma, beta), once for the gradient of the rows, which overwrites d.

#include "ops/cuda/layer_norm_cuda.h"

#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/column_sums_cuda.h"
#include "ops/cuda/cuda_kernels.h"
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
  DropoutArguments dropout;
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
    drop(a.dropout, at + c, d);
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
void forward_of(const cuda::CudaDevice& device, const LayerNorm& op) {
  const int64_t rows = op.z.tensor().dim(0);
  const int64_t columns = op.z.tensor().dim(1);
  const ForwardArguments<E> arguments = {.z = cuda::data<E>(op.z),
                                         .residual = cuda::data<E>(op.residual),
                                         .gamma = cuda::data<float>(op.gamma),
                                         .beta = cuda::data<float>(op.beta),
                                         .eps = op.eps,
                                         .dropout = dropout_arguments(op.dropout),
                                         .y = cuda::data<E>(op.y),
                                         .mean = cuda::data<float>(op.mean),
                                         .rstd = cuda::data<float>(op.rstd),
                                         .columns = static_cast<int>(columns)};
  const bool packs = columns % kElementPack == 0;
  (packs ? forward<E, kElementPack> : forward<E, 1>)(device, arguments, rows);
}

template <typename E, int kPack>
void backward(const cuda::CudaDevice& device, const LayerNormBackward& op, const Dropout& after,
              const Tensor& partials) {
  const BackwardArguments<E> a = {.z = cuda::data<E>(op.z),
                                  .mean = cuda::data<float>(op.mean),
                                  .rstd = cuda::data<float>(op.rstd),
                                  .gamma = cuda::data<float>(op.gamma),
                                  .dropout = dropout_arguments(op.dropout),
                                  .d = cuda::data<E>(op.d),
                                  .d_x = cuda::data<E>(op.d_x),
                                  .partials = cuda::data<float>(Out(partials)),
                                  .rows = op.z.dim(0),
                                  .columns = static_cast<int>(op.z.dim(1))};
  if (after.active()) {
    constexpr unsigned kThreads = 256;
    const int64_t packs = op.z.size() / kPack;
    cuda::launch(
        device,
        {.name = "dropout", .blocks = {cuda::blocks_for(packs, kThreads)}, .threads = {kThreads}},
        drop_kernel<E, kPack>, a.d, packs, dropout_arguments(after));
  }
  cuda::launch(device, column_grid("layer_norm_sums", a.rows, a.columns, kPack),
               sums_kernel<E, kPack>, a);
  const int64_t blocks = partial_blocks(a.rows);
  add_partials(device, a.partials, blocks, 2 * a.columns, a.columns, cuda::data<float>(op.d_gamma));
  add_partials(device, a.partials + a.columns, blocks, 2 * a.columns, a.columns,
               cuda::data<float>(op.d_beta));
  cuda::launch(device,
               {.name = "layer_norm_backward",
                .blocks = {static_cast<unsigned>(a.rows)},
                .threads = {kNormThreads},
                .shared_bytes = 2 * a.columns * int64_t{sizeof(float)}},
               rows_kernel<E, kPack>, a);
}

template <typename E>
void backward_of(const cuda::CudaDevice& device, const LayerNormBackward& op, const Dropout& after,
                 const Tensor& partials) {
  const bool packs = op.z.dim(1) % kElementPack == 0;
  (packs ? backward<E, kElementPack> : backward<E, 1>)(device, op, after, partials);
}

}  // namespace

void layer_norm_backward_cuda(const cuda::CudaDevice& device, const LayerNormBackward& op,
                              const Dropout& after, const Tensor& partials) {
  const bool wide = op.z.dtype() == DType::kF32;
  (wide ? backward_of<float> : backward_of<BFloat16>)(device, op, after, partials);
}

void CudaKernels::run(const LayerNorm& op) {
  const bool wide = op.z.tensor().dtype() == DType::kF32;
  (wide ? forward_of<float> : forward_of<BFloat16>)(device_, op);
}

void CudaKernels::run(const LayerNormBackward& op, const Scratch& scratch) {
  layer_norm_backward_cuda(device_, op, {}, scratch.values);
}

}  // namespace bertha::ops
