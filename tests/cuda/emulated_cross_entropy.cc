#include "emulation.h"
//
#include "ops/cross_entropy_cuda.cu"
