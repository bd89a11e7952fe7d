#include "emulation.h"
//
#include "ops/rows_cuda.cu"
