// Replaces backend/cuda in a program that is built without CUDA.

#include "backend/cuda/cuda_device.h"

#include "core/error.h"

namespace bertha::cuda {

std::string absence(int64_t /*number*/) {
  return "this program was built without CUDA (./run build --cuda builds one with it)";
}

std::unique_ptr<Device> open_device(int64_t /*number*/) {
  fail("{}", absence());
}

}  // namespace bertha::cuda
