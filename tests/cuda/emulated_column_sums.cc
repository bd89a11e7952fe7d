#include "emulation.h"
//
#include "ops/cuda/column_sums_cuda.cu"
