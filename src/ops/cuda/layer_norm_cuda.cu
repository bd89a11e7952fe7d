// Forward, a block takes a row, which it keeps in shared memory as f32; rows are in device memory
// read once and written once. Backward, a warp takes a row, which it keeps in registers, and its
// lanes add what the columns they hold give to gamma and beta: d and z are read once. Rows of more
// than 1,024 columns, or of a number that is no multiple of 8, are read twice: for the sums over
// rows, then for the gradient of the rows, which overwrites d.

#include "ops/cuda/layer_norm_cuda.h"

#include <array>

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
__global__ void __launch_bounds__(kColumnThreads* kRowThreads) sums_kernel(BackwardArguments<E> a) {
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

constexpr int kRowWarps = 4;   ///< rows that a block has under way
constexpr int kMostPacks = 4;  ///< of eight columns, that a lane holds
constexpr int kWarpColumns = cuda::kWarp * kElementPack;

/// Blocks that a multiprocessor holds; it bounds the registers of a thread, and none spills.
constexpr int row_blocks(int packs) {
  return packs == kMostPacks ? 2 : 3;
}

/// A row's g and unit, as the lanes of a warp hold them; columns past the last one are 0.
template <int kPacks>
struct RowValues {
  float g[kPacks][kElementPack] = {};
  float unit[kPacks][kElementPack] = {};
};

/// Loads a row, and adds what it gives to the sums.
template <typename E, int kPacks>
__device__ void load_row(const BackwardArguments<E>& a, int64_t row, RowValues<kPacks>& values,
                         RowValues<kPacks>& sums) {
  const int lane = static_cast<int>(threadIdx.x) % cuda::kWarp;
  const float mean = a.mean[row];
  const float rstd = a.rstd[row];
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int column = p * kWarpColumns + lane * kElementPack;
    if (column >= a.columns) continue;
    float d[kElementPack], scale[kElementPack];
    cuda::load(a.z + row * a.columns + column, values.unit[p]);
    cuda::load(a.d + row * a.columns + column, d);
    cuda::load(a.gamma + column, scale);
#pragma unroll
    for (int i = 0; i < kElementPack; ++i) {
      values.unit[p][i] = (values.unit[p][i] - mean) * rstd;
      values.g[p][i] = d[i] * scale[i];
      sums.unit[p][i] += d[i] * values.unit[p][i];
      sums.g[p][i] += d[i];
    }
  }
}

/// Writes the gradient of a row from what load_row left.
template <typename E, int kPacks>
__device__ void write_row(const BackwardArguments<E>& a, int64_t row,
                          const RowValues<kPacks>& values) {
  const int lane = static_cast<int>(threadIdx.x) % cuda::kWarp;
  float sum = 0;
  float sum_unit = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
#pragma unroll
    for (int i = 0; i < kElementPack; ++i) {
      sum += values.g[p][i];
      sum_unit += values.g[p][i] * values.unit[p][i];
    }
  }
  const auto count = static_cast<float>(a.columns);
  const float mean_g = cuda::warp_reduce(sum, cuda::Sum()) / count;
  const float mean_g_unit = cuda::warp_reduce(sum_unit, cuda::Sum()) / count;
  const float rstd = a.rstd[row];
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int column = p * kWarpColumns + lane * kElementPack;
    if (column >= a.columns) continue;
    const int64_t at = row * a.columns + column;
    float d[kElementPack];
#pragma unroll
    for (int i = 0; i < kElementPack; ++i) {
      d[i] = rstd * (values.g[p][i] - mean_g - values.unit[p][i] * mean_g_unit);
    }
    cuda::store(a.d + at, d);
    if (a.d_x == nullptr) continue;
    drop(a.dropout, at, d);
    cuda::store(a.d_x + at, d);
  }
}

/// Warp after warp adds its sums in shared memory; the block writes them as its partial sums of
/// d_gamma, then of d_beta.
template <int kPacks>
__device__ void write_partials(const RowValues<kPacks>& sums, int columns, float* partials) {
  auto* const total = cuda::dynamic_shared<float>();
  const int lane = static_cast<int>(threadIdx.x) % cuda::kWarp;
  for (int warp = 0; warp < kRowWarps; ++warp) {
    const bool own = static_cast<int>(threadIdx.x) / cuda::kWarp == warp;
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const int column = p * kWarpColumns + lane * kElementPack;
      if (!own || column >= columns) continue;
#pragma unroll
      for (int i = 0; i < kElementPack; ++i) {
        float& gamma = total[column + i];
        float& beta = total[columns + column + i];
        gamma = warp == 0 ? sums.unit[p][i] : gamma + sums.unit[p][i];
        beta = warp == 0 ? sums.g[p][i] : beta + sums.g[p][i];
      }
    }
    __syncthreads();
  }
  for (int i = static_cast<int>(threadIdx.x); i < 2 * columns; i += kRowWarps * cuda::kWarp) {
    partials[int64_t{blockIdx.x} * 2 * columns + i] = total[i];
  }
}

template <typename E, int kPacks>
__global__ void __launch_bounds__(kRowWarps* cuda::kWarp, row_blocks(kPacks))
    warp_rows_kernel(BackwardArguments<E> a) {
  const int64_t end = a.rows * (blockIdx.x + 1) / gridDim.x;
  RowValues<kPacks> sums;
  for (int64_t row = a.rows * blockIdx.x / gridDim.x + threadIdx.x / cuda::kWarp; row < end;
       row += kRowWarps) {
    RowValues<kPacks> values;
    load_row(a, row, values, sums);
    write_row(a, row, values);
  }
  write_partials(sums, a.columns, a.partials);
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

template <typename E>
void backward_by_warps(const cuda::CudaDevice& device, const BackwardArguments<E>& a) {
  static_assert(kMostPacks == 4);
  constexpr auto kKernels = std::array{warp_rows_kernel<E, 1>, warp_rows_kernel<E, 2>,
                                       warp_rows_kernel<E, 3>, warp_rows_kernel<E, 4>};
  cuda::launch(device,
               {.name = "layer_norm_backward",
                .blocks = {static_cast<unsigned>(partial_blocks(a.rows))},
                .threads = {kRowWarps * cuda::kWarp},
                .shared_bytes = 2 * a.columns * int64_t{sizeof(float)}},
               kKernels[static_cast<size_t>((a.columns - 1) / kWarpColumns)], a);
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
  if (kPack == kElementPack && a.columns <= kMostPacks * kWarpColumns) {
    backward_by_warps(device, a);
  } else {
    cuda::launch(device, column_grid("layer_norm_sums", a.rows, a.columns, kPack),
                 sums_kernel<E, kPack>, a);
    cuda::launch(device,
                 {.name = "layer_norm_backward",
                  .blocks = {static_cast<unsigned>(a.rows)},
                  .threads = {kNormThreads},
                  .shared_bytes = 2 * a.columns * int64_t{sizeof(float)}},
                 rows_kernel<E, kPack>, a);
  }
  add_partials(device, a.partials, partial_blocks(a.rows), a.columns, cuda::data<float>(op.d_gamma),
               cuda::data<float>(op.d_beta));
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
