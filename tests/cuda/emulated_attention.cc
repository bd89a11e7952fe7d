#include "emulation.h"
//
#include "ops/cuda/attention_cuda.cu"
