// Which kernels a kind of device has. This stands here, and not in the table of devices
// (backend/devices.h), because backend lies below ops: a device opens without knowing an op, so
// that comm, loaders and tests may use its memory alone.

#include "core/error.h"
#include "ops/cpu/cpu_kernels.h"
#include "ops/cuda/make_cuda_kernels.h"
#include "ops/gaudi/gaudi_kernels.h"
#include "ops/kernels.h"

namespace bertha::ops {
namespace {

std::shared_ptr<Kernels> kernels_for(Device& device) {
  switch (device.kind()) {
    case DeviceKind::kCpu:
      return std::make_shared<CpuKernels>(static_cast<cpu::CpuDevice&>(device));
    case DeviceKind::kCuda:
      return make_cuda_kernels(static_cast<cuda::CudaDevice&>(device));
    case DeviceKind::kGaudi:
      return std::make_shared<GaudiKernels>(static_cast<gaudi::GraphDevice&>(device));
    case DeviceKind::kOther:
      break;
  }
  BERTHA_CHECK(false, "no kernels for this device: {}", device.description());
}

}  // namespace

Kernels& kernels_of(Device& device) {
  if (device.kernels() == nullptr) device.set_kernels(kernels_for(device));
  return *device.kernels();
}

}  // namespace bertha::ops
