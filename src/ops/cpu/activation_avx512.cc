#include "ops/cpu/activation_simd.h"  // GELU and the gradients of GELU and tanh

namespace bertha::ops {

ActivationKernels activation_kernels_avx512() {
  return {kElementKernels<float>, kElementKernels<uint16_t>};
}

}  // namespace bertha::ops
