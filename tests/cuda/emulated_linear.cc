#include "emulation.h"
//
#include "ops/cuda/linear_cuda.cu"
