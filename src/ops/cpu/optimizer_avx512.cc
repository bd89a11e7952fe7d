#include "ops/cpu/optimizer_simd.h"

namespace bertha::ops {

const OptimizerKernels kOptimizerAvx512 = optimizer_kernel_table();

}  // namespace bertha::ops
