// A block takes one question of one sequence: a few hundred logits.

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/cross_entropy_cuda.h"
#include "ops/cuda/cuda_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 128;

struct Arguments {
  float* logits;
  const int32_t* seq_start;
  const int32_t* labels;
  const float* scale;
  double* parts;
  int columns;
  int sequences;
  int64_t tokens;
};

/// Block (n, c): question c of sequence n.
__global__ void __launch_bounds__(kThreads) sequences_kernel(Arguments a) {
  const int64_t item = int64_t{blockIdx.x} * a.columns + blockIdx.y;
  const int begin = a.seq_start[blockIdx.x];
  const int length = a.seq_start[blockIdx.x + 1] - begin;
  float* const x = a.logits + int64_t{begin} * a.columns + blockIdx.y;
  const int label = a.labels[item];
  const int first = static_cast<int>(threadIdx.x);
  float own = -INFINITY;
  int own_argmax = length;
  for (int i = first; i < length; i += kThreads) {
    const float value = x[int64_t{i} * a.columns];
    if (value <= own) continue;
    own = value;
    own_argmax = i;
  }
  const float largest = cuda::block_reduce<kThreads>(own, cuda::Larger());
  const int argmax =
      cuda::block_reduce<kThreads>(own == largest ? own_argmax : length, cuda::Smaller());
  double sum = 0;
  for (int i = first; i < length; i += kThreads) {
    sum += exp(static_cast<double>(x[int64_t{i} * a.columns]) - static_cast<double>(largest));
  }
  sum = cuda::block_reduce<kThreads>(sum, cuda::Sum());
  const bool counts = label >= 0;
  if (first == 0) {
    a.parts[2 * item] = counts ? log(sum) + static_cast<double>(largest) -
                                     static_cast<double>(x[int64_t{label} * a.columns])
                               : 0;
    a.parts[2 * item + 1] = counts && argmax == label ? 1 : 0;
  }
  if (a.scale == nullptr) return;
  __syncthreads();  // the label's logit has been read
  const double scale = counts ? static_cast<double>(*a.scale) : 0;
  for (int i = first; i < length; i += kThreads) {
    float& value = x[int64_t{i} * a.columns];
    const double p = exp(static_cast<double>(value) - static_cast<double>(largest)) / sum;
    value = counts ? static_cast<float>(scale * (p - (i == label ? 1.0 : 0.0))) : 0.0F;
  }
}

/// One block: zeroes the rows of no sequence where gradients are wanted.
__global__ void __launch_bounds__(kThreads) clear_kernel(Arguments a) {
  const int64_t begin = int64_t{a.seq_start[a.sequences]} * a.columns;
  for (int64_t i = begin + threadIdx.x; i < a.tokens * a.columns; i += kThreads) a.logits[i] = 0;
}

}  // namespace

void CudaKernels::run(const SequenceCrossEntropy& op, const Scratch& scratch) {
  const Arguments a = {.logits = cuda::data<float>(op.logits),
                       .seq_start = cuda::data<int32_t>(op.seq_start),
                       .labels = cuda::data<int32_t>(op.labels),
                       .scale = cuda::data<float>(op.scale),
                       .parts = cuda::data<double>(Out(scratch.values)),
                       .columns = static_cast<int>(op.labels.dim(1)),
                       .sequences = static_cast<int>(op.labels.dim(0)),
                       .tokens = op.logits.tensor().dim(0)};
  cuda::launch(device_,
               {.name = "sequence_cross_entropy",
                .blocks = {static_cast<unsigned>(a.sequences), static_cast<unsigned>(a.columns)},
                .threads = {kThreads}},
               sequences_kernel, a);
  if (a.scale != nullptr) {
    cuda::launch(device_,
                 {.name = "sequence_cross_entropy_clear", .blocks = {1}, .threads = {kThreads}},
                 clear_kernel, a);
  }
  sum_row_results(device_, scratch.values, op.labels.size(), op.result);
}

}  // namespace bertha::ops
