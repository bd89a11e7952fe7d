#include "ops/cpu/product_simd.h"

namespace bertha::ops {

const ProductKernels<float> kProductsAvx512F32 = kProductKernels<float>;

}  // namespace bertha::ops
