#include "emulation.h"
//
#include "ops/cuda/rows_cuda.cu"
