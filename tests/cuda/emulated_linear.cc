#include "emulation.h"
//
#include "ops/linear_cuda.cu"
