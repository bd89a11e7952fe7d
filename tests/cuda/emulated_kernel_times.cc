// In a build without CUDA nothing else compiles it.
#include "backend/cuda/kernel_times.cc"
