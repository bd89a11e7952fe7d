// A block takes a row of logits: one pass for the largest and the sum, a second for the gradient,
// which finds the row in the caches (30,528 bf16 are 60 KB).

#include "ops/cuda/cross_entropy_cuda.h"

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/cuda_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 256;

struct RowSoftmax {
  float largest;
  float sum;   ///< Σ exp(x - largest)
  int argmax;  ///< lowest index of equals
};

template <typename E, int kPack>
__device__ RowSoftmax softmax_of(const E* x, int columns) {
  float largest = -INFINITY;
  float sum = 0;
  int argmax = columns;
  for (int c = static_cast<int>(threadIdx.x) * kPack; c < columns; c += kThreads * kPack) {
    float values[kPack];
    cuda::load(x + c, values);
    float most = values[0];
    for (int i = 1; i < kPack; ++i) most = fmaxf(most, values[i]);
    if (most > largest) {
      sum *= expf(largest - most);
      largest = most;
      argmax = c;
      while (values[argmax - c] != most) ++argmax;
    }
    for (int i = 0; i < kPack; ++i) sum += expf(values[i] - largest);
  }
  RowSoftmax row;
  row.largest = cuda::block_reduce<kThreads>(largest, cuda::Larger());
  // A thread without columns has nothing to add; exp(-inf - x) is 0, but not for x = -inf.
  const float own = argmax < columns ? sum * expf(largest - row.largest) : sum;
  row.sum = cuda::block_reduce<kThreads>(own, cuda::Sum());
  row.argmax =
      cuda::block_reduce<kThreads>(largest == row.largest ? argmax : columns, cuda::Smaller());
  return row;
}

/// scale (softmax - onehot), in place.
template <typename E, int kPack>
__device__ void write_gradient(E* x, int columns, const RowSoftmax& row, float scale, int label) {
  const float factor = scale / row.sum;
  for (int c = static_cast<int>(threadIdx.x) * kPack; c < columns; c += kThreads * kPack) {
    float values[kPack];
    cuda::load(x + c, values);
    for (int i = 0; i < kPack; ++i) {
      values[i] = expf(values[i] - row.largest) * factor;
      if (c + i == label) values[i] -= scale;
    }
    cuda::store(x + c, values);
  }
}

template <typename E, int kPack>
__global__ void __launch_bounds__(kThreads)
    rows_kernel(E* logits, const int32_t* labels, const float* scale, int columns,
                double* results) {
  E* const x = logits + int64_t{blockIdx.x} * columns;
  double* const result = results + 2 * int64_t{blockIdx.x};
  const int label = labels[blockIdx.x];
  if (label < 0) {
    if (threadIdx.x == 0) result[0] = result[1] = 0;
    const float zeros[kPack] = {};
    for (int c = static_cast<int>(threadIdx.x) * kPack; scale != nullptr && c < columns;
         c += kThreads * kPack) {
      cuda::store(x + c, zeros);
    }
    return;
  }
  const RowSoftmax row = softmax_of<E, kPack>(x, columns);
  if (threadIdx.x == 0) {
    const auto logit = static_cast<double>(cuda::widen(x[label]));
    result[0] = log(static_cast<double>(row.sum)) + static_cast<double>(row.largest) - logit;
    result[1] = row.argmax == label ? 1 : 0;
  }
  if (scale == nullptr) return;
  __syncthreads();  // the label's logit has been read
  write_gradient<E, kPack>(x, columns, row, *scale, label);
}

__global__ void __launch_bounds__(kThreads)
    total_kernel(const double* results, int rows, float* total) {
  double loss = 0;
  double hits = 0;
  for (int row = static_cast<int>(threadIdx.x); row < rows; row += kThreads) {
    loss += results[2 * row];
    hits += results[2 * row + 1];
  }
  loss = cuda::block_reduce<kThreads>(loss, cuda::Sum());
  hits = cuda::block_reduce<kThreads>(hits, cuda::Sum());
  if (threadIdx.x != 0) return;
  total[0] = static_cast<float>(loss);
  total[1] = static_cast<float>(hits);
}

template <typename E, int kPack>
void all_rows(const cuda::CudaDevice& device, const CrossEntropy& op, double* results) {
  cuda::launch(device,
               {.name = "cross_entropy",
                .blocks = {static_cast<unsigned>(op.labels.size())},
                .threads = {kThreads}},
               rows_kernel<E, kPack>, cuda::data<E>(op.logits), cuda::data<int32_t>(op.labels),
               cuda::data<float>(op.scale), op.logits.tensor().dim(1), results);
}

template <typename E>
void all_rows_of(const cuda::CudaDevice& device, const CrossEntropy& op, double* results) {
  const bool packs = op.logits.tensor().dim(1) % cuda::kElementPack == 0;
  (packs ? all_rows<E, cuda::kElementPack> : all_rows<E, 1>)(device, op, results);
}

}  // namespace

void CudaKernels::run(const CrossEntropy& op, const Scratch& scratch) {
  auto* const results = cuda::data<double>(Out(scratch.values));
  const bool wide = op.logits.tensor().dtype() == DType::kF32;
  (wide ? all_rows_of<float> : all_rows_of<BFloat16>)(device_, op, results);
  sum_row_results(device_, scratch.values, op.labels.size(), op.result);
}

void sum_row_results(const cuda::CudaDevice& device, const Tensor& row_results, int64_t rows,
                     Out result) {
  cuda::launch(device, {.name = "loss_sums", .blocks = {1}, .threads = {kThreads}}, total_kernel,
               cuda::data<double>(row_results), rows, cuda::data<float>(result));
}

}  // namespace bertha::ops
