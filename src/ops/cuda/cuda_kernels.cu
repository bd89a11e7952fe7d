#include "ops/cuda/cuda_kernels.h"

#include "core/error.h"
#include "ops/cuda/make_cuda_kernels.h"

namespace bertha::ops {

std::shared_ptr<Kernels> make_cuda_kernels(cuda::CudaDevice& device) {
  return std::make_shared<CudaKernels>(device);
}

void CudaKernels::run(const Copy& op) {
  device_.copy(op.from, op.to);
}

void CudaKernels::run(const Int8Linear& /*op*/, const Scratch& /*scratch*/) {
  fail("int8 products run on the CPU alone");
}

void CudaKernels::run(const Zero& op) {
  device_.zero(op.to);
}

}  // namespace bertha::ops
