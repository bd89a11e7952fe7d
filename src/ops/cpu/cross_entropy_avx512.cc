#include "ops/cpu/cross_entropy_simd.h"

namespace bertha::ops {

CrossEntropyKernels cross_entropy_kernels_avx512() {
  return {kSoftmaxKernels<float>, kSoftmaxKernels<uint16_t>};
}

}  // namespace bertha::ops
