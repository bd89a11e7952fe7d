#include "emulation.h"
//
#include "ops/attention_mma_cuda.cu"
