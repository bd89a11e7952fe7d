#include "emulation.h"
//
#include "ops/cuda/sequence_cross_entropy_cuda.cu"
