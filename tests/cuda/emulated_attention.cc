#include "emulation.h"
//
#include "ops/attention_cuda.cu"
