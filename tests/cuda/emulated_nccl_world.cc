// In a build without CUDA nothing else compiles them; <nccl.h> is the stand-in's.
#include "emulation.h"
//
#include "comm/nccl/nccl_world.cc"
#include "comm/nccl/round.cu"
