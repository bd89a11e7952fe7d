#pragma once

// Which device an op dispatches to, for the x.cc files.

#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "core/context.h"
#include "core/error.h"

namespace bertha::ops {

inline bool on_cuda(const Context& context) {
  return context.device().kind() == DeviceKind::kCuda;
}
inline cuda::CudaDevice& cuda_of(const Context& context) {
  BERTHA_CHECK(on_cuda(context));
  return static_cast<cuda::CudaDevice&>(context.device());
}
inline cpu::CpuDevice& cpu_of(const Context& context) {
  BERTHA_CHECK(context.device().kind() == DeviceKind::kCpu);
  return static_cast<cpu::CpuDevice&>(context.device());
}

}  // namespace bertha::ops
