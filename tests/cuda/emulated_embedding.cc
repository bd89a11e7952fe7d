#include "emulation.h"
//
#include "ops/embedding_cuda.cu"
