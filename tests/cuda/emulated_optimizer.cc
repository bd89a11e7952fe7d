#include "emulation.h"
//
#include "ops/cuda/optimizer_cuda.cu"
