#include "emulation.h"
//
#include "ops/cuda/fp8_linear_cuda.cu"
