// One block takes all predictions: a batch has a few dozen.

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/cuda_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads)
    squared_error_kernel(float* x, const float* targets, const float* scale, int64_t count,
                         float* result) {
  double loss = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    const double off = static_cast<double>(x[i]) - static_cast<double>(targets[i]);
    loss += off * off;
    if (scale != nullptr) x[i] = static_cast<float>(2 * static_cast<double>(*scale) * off);
  }
  loss = cuda::block_reduce<kThreads>(loss, cuda::Sum());
  if (threadIdx.x != 0) return;
  result[0] = static_cast<float>(loss);
  result[1] = 0;
}

}  // namespace

void CudaKernels::run(const SquaredError& op) {
  cuda::launch(device_, {.name = "squared_error", .blocks = {1}, .threads = {kThreads}},
               squared_error_kernel, cuda::data<float>(op.predictions),
               cuda::data<float>(op.targets), cuda::data<float>(op.scale), op.targets.size(),
               cuda::data<float>(op.result));
}

}  // namespace bertha::ops
