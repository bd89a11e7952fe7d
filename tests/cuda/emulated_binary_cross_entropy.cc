#include "emulation.h"
//
#include "ops/cuda/binary_cross_entropy_cuda.cu"
