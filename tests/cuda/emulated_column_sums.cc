#include "emulation.h"
//
#include "ops/column_sums_cuda.cu"
