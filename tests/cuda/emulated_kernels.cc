#include "emulation.h"
//
#include "ops/cuda/cuda_kernels.cu"
