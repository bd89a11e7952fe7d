#include "emulation.h"
//
#include "ops/cuda/layer_norm_cuda.cu"
