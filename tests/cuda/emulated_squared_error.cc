#include "emulation.h"
//
#include "ops/cuda/squared_error_cuda.cu"
