#include "emulation.h"
//
#include "ops/cuda/cross_entropy_cuda.cu"
