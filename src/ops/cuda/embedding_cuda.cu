// Ids are checked on the host where batches are made; a wrong one here would read foreign memory.

#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/column_sums_cuda.h"
#include "ops/cuda/cuda_kernels.h"
#include "ops/cuda/layer_norm_cuda.h"
#include "ops/cuda/layer_norm_rows_cuda.h"
#include "ops/cuda/rows_cuda.h"

namespace bertha::ops {
namespace {

using cuda::kElementPack;

template <typename E>
struct Arguments {
  const int32_t* words;
  const int32_t* positions;
  const int32_t* segments;
  const float* word;
  const float* position;
  const float* segment;
  const float* gamma;
  const float* beta;
  float eps;
  DropoutArguments dropout;
  E* z;
  E* y;
  float* mean;
  float* rstd;
  int columns;
};

template <typename E, int kPack>
__global__ void __launch_bounds__(kNormThreads) forward_kernel(Arguments<E> a) {
  auto* const row = cuda::dynamic_shared<float>();
  const int64_t token = blockIdx.x;
  const int64_t at = token * a.columns;
  const float* const word = a.word + int64_t{a.words[token]} * a.columns;
  const float* const position = a.position + int64_t{a.positions[token]} * a.columns;
  const float* const segment = a.segment + int64_t{a.segments[token]} * a.columns;
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x) * kPack; c < a.columns; c += kNormThreads * kPack) {
    float z[kPack], p[kPack], s[kPack];
    cuda::load(word + c, z);
    cuda::load(position + c, p);
    cuda::load(segment + c, s);
    for (int i = 0; i < kPack; ++i) {
      z[i] += p[i] + s[i];
      row[c + i] = cuda::widen(cuda::narrow<E>(z[i]));
      sum += row[c + i];
    }
    cuda::store(a.z + at + c, z);
  }
  normalise<E, kPack>(row, sum, a.gamma, a.beta, a.eps, a.dropout, at,
                      {a.y + at, a.mean + token, a.rstd + token}, a.columns);
}

/// Partial sums of the rows of token type `type`.
template <typename E, int kPack>
__global__ void __launch_bounds__(kColumnThreads* kRowThreads)
    segment_kernel(const E* d, const int32_t* segments, int type, int64_t rows, int columns,
                   float* partials) {
  column_partials<1, kPack>(rows, columns, partials,
                            [&](int64_t row, int column, float(&sums)[1][kPack]) {
                              if (segments[row] != type) return;
                              float values[kPack];
                              cuda::load(d + row * columns + column, values);
                              for (int i = 0; i < kPack; ++i) sums[0][i] += values[i];
                            });
}

template <typename E, int kPack>
void forward(const cuda::CudaDevice& device, const Arguments<E>& arguments, int64_t tokens) {
  cuda::launch(device,
               {.name = "embedding",
                .blocks = {static_cast<unsigned>(tokens)},
                .threads = {kNormThreads},
                .shared_bytes = arguments.columns * int64_t{sizeof(float)}},
               forward_kernel<E, kPack>, arguments);
}

template <typename E>
void forward_of(const cuda::CudaDevice& device, const Embedding& op) {
  const int64_t columns = op.z.tensor().dim(1);
  const Arguments<E> arguments = {.words = cuda::data<int32_t>(op.ids.word),
                                  .positions = cuda::data<int32_t>(op.ids.position),
                                  .segments = cuda::data<int32_t>(op.ids.segment),
                                  .word = cuda::data<float>(op.tables.word),
                                  .position = cuda::data<float>(op.tables.position),
                                  .segment = cuda::data<float>(op.tables.segment),
                                  .gamma = cuda::data<float>(op.gamma),
                                  .beta = cuda::data<float>(op.beta),
                                  .eps = op.eps,
                                  .dropout = dropout_arguments(op.dropout),
                                  .z = cuda::data<E>(op.z),
                                  .y = cuda::data<E>(op.y),
                                  .mean = cuda::data<float>(op.mean),
                                  .rstd = cuda::data<float>(op.rstd),
                                  .columns = static_cast<int>(columns)};
  const bool packs = columns % kElementPack == 0;
  (packs ? forward<E, kElementPack> : forward<E, 1>)(device, arguments, op.z.tensor().dim(0));
}

/// Few rows with many tokens each: sums over rows, unlike the other two tables.
template <typename E, int kPack>
void add_segments(const cuda::CudaDevice& device, const EmbeddingBackward& op,
                  const Tensor& partials) {
  const Tensor& d = op.d.tensor();
  const int64_t columns = d.dim(1);
  auto* const scratch = cuda::data<float>(Out(partials));
  for (int64_t type = 0; type < op.d_tables.segment.tensor().dim(0); ++type) {
    cuda::launch(device, column_grid("embedding_segments", d.dim(0), columns, kPack),
                 segment_kernel<E, kPack>, cuda::data<E>(d), cuda::data<int32_t>(op.ids.segment),
                 type, d.dim(0), columns, scratch);
    add_partials(device, scratch, partial_blocks(d.dim(0)), columns,
                 cuda::data<float>(op.d_tables.segment) + type * columns);
  }
}

template <typename E>
void add_segments_of(const cuda::CudaDevice& device, const EmbeddingBackward& op,
                     const Tensor& partials) {
  const bool packs = op.z.dim(1) % kElementPack == 0;
  (packs ? add_segments<E, kElementPack> : add_segments<E, 1>)(device, op, partials);
}

}  // namespace

void CudaKernels::run(const Embedding& op) {
  const bool wide = op.z.tensor().dtype() == DType::kF32;
  (wide ? forward_of<float> : forward_of<BFloat16>)(device_, op);
}

void CudaKernels::run(const EmbeddingBackward& op, const Scratch& scratch) {
  const LayerNormBackward norm = {.z = op.z,
                                  .mean = op.mean,
                                  .rstd = op.rstd,
                                  .gamma = op.gamma,
                                  .d = op.d,
                                  .d_gamma = op.d_gamma,
                                  .d_beta = op.d_beta};
  layer_norm_backward_cuda(device_, norm, op.dropout, scratch.values);
  scatter_rows_cuda(device_, op.d.tensor(), op.ids.word, op.d_tables.word);
  scatter_rows_cuda(device_, op.d.tensor(), op.ids.position, op.d_tables.position);
  const bool wide = op.z.dtype() == DType::kF32;
  (wide ? add_segments_of<float> : add_segments_of<BFloat16>)(device_, op, scratch.values);
}

}  // namespace bertha::ops
