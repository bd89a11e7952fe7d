#include "ops/cpu/layer_norm_simd.h"

namespace bertha::ops {

const LayerNormKernels kLayerNormAvx512 = {.f32 = row_kernels<float>(),
                                           .bf16 = row_kernels<uint16_t>()};

}  // namespace bertha::ops
