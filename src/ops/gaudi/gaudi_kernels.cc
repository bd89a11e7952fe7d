#include "ops/gaudi/gaudi_kernels.h"

namespace bertha::ops {

GaudiKernels::GaudiKernels(gaudi::GraphDevice& device)
    : device_(device), candidates_(device), masks_(choose_mask_source(candidates_)) {
  device.set_remark(masks_ == MaskSource::kHost ? "dropout's masks from the host"
                                                : "dropout's masks from its own generator");
}

Support GaudiKernels::support(std::string_view op, DType dtype) const {
  for (const std::string_view absent :
       {Int8Linear::kName, Fp8Linear::kName, Fp8LinearBackward::kName}) {
    if (op == absent) return Support::kAbsent;
  }
  if (dtype != DType::kF32 && dtype != DType::kBF16) return Support::kAbsent;
  return Support::kComposed;
}

}  // namespace bertha::ops
