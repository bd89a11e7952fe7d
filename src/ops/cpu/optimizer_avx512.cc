#include "ops/cpu/optimizer_runs.h"

namespace bertha::ops {

const OptimizerKernels kOptimizerAvx512 = optimizer_kernel_table();

}  // namespace bertha::ops
