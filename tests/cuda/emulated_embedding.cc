#include "emulation.h"
//
#include "ops/cuda/embedding_cuda.cu"
