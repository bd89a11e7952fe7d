// One block takes all logits: a batch has a few dozen rows of a few labels.

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/cuda_kernels.h"

namespace bertha::ops {
namespace {

constexpr int kThreads = 256;

// The exponential is taken of -|x| alone, so that no logit overflows.
__global__ void __launch_bounds__(kThreads)
    binary_cross_entropy_kernel(float* x, const float* targets, const float* scale, int64_t count,
                                float* result) {
  double loss = 0;
  double right = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    const auto logit = static_cast<double>(x[i]);
    const auto target = static_cast<double>(targets[i]);
    const double small = exp(-fabs(logit));
    loss += fmax(logit, 0.0) - logit * target + log1p(small);
    right += (logit >= 0) == (target >= 0.5) ? 1 : 0;
    if (scale == nullptr) continue;
    const double sigmoid = (logit >= 0 ? 1 : small) / (1 + small);
    x[i] = static_cast<float>(static_cast<double>(*scale) * (sigmoid - target));
  }
  loss = cuda::block_reduce<kThreads>(loss, cuda::Sum());
  right = cuda::block_reduce<kThreads>(right, cuda::Sum());
  if (threadIdx.x != 0) return;
  result[0] = static_cast<float>(loss);
  result[1] = static_cast<float>(right);
}

}  // namespace

void CudaKernels::run(const BinaryCrossEntropy& op) {
  cuda::launch(device_, {.name = "binary_cross_entropy", .blocks = {1}, .threads = {kThreads}},
               binary_cross_entropy_kernel, cuda::data<float>(op.logits),
               cuda::data<float>(op.targets), cuda::data<float>(op.scale), op.targets.size(),
               cuda::data<float>(op.result));
}

}  // namespace bertha::ops
