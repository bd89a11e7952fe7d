// In a build without CUDA nothing else compiles them.
#include "backend/cuda/cudnn_library.cc"
#include "backend/cuda/fused_attention.cc"
