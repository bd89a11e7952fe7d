#include "ops/gaudi/gaudi_kernels.h"

namespace bertha::ops {

Support GaudiKernels::support(std::string_view op, DType dtype) const {
  for (const std::string_view absent :
       {Int8Linear::kName, Fp8Linear::kName, Fp8LinearBackward::kName}) {
    if (op == absent) return Support::kAbsent;
  }
  if (dtype != DType::kF32 && dtype != DType::kBF16) return Support::kAbsent;
  return Support::kComposed;
}

}  // namespace bertha::ops
