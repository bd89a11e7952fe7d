#include "ops/cpu/product_simd.h"

namespace bertha::ops {

const ProductKernels<uint16_t> kProductsBf16 = kProductKernels<uint16_t>;

}  // namespace bertha::ops
