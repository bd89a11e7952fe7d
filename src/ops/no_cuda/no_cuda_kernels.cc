// Stands for the kernels of ops/cuda in a program built without CUDA. No CudaDevice exists there,
// so this function is never called.

#include "core/error.h"
#include "ops/cuda/make_cuda_kernels.h"

namespace bertha::ops {

std::shared_ptr<Kernels> make_cuda_kernels(cuda::CudaDevice& /*device*/) {
  fail("this program was built without CUDA");
}

}  // namespace bertha::ops
