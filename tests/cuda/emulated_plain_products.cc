#include "emulation.h"
//
#include "backend/cuda/plain_products.cu"
