// In a build without CUDA nothing else compiles it.
#include "backend/cuda/product_choices.cc"
