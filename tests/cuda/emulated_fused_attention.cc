#include "emulation.h"
//
#include "ops/cuda/fused_attention_cuda.cu"
