#include "emulation.h"
//
#include "ops/cuda/attention_mma_cuda.cu"
