#include "emulation.h"
//
#include "ops/layer_norm_cuda.cu"
