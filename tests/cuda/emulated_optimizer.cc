#include "emulation.h"
//
#include "ops/optimizer_cuda.cu"
