#include "emulation.h"
//
#include "ops/sequence_cross_entropy_cuda.cu"
