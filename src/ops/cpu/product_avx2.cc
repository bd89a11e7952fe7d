#include "ops/cpu/product_simd.h"

namespace bertha::ops {

const ProductKernels<float> kProductsAvx2F32 = kProductKernels<float>;

}  // namespace bertha::ops
