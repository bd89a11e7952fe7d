#include "ops/cpu/optimizer_runs.h"

namespace bertha::ops {

const OptimizerKernels kOptimizerAvx2 = optimizer_kernel_table();

}  // namespace bertha::ops
