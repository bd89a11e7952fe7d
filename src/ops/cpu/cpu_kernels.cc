#include "ops/cpu/cpu_kernels.h"

#include "ops/cpu/cpu_products.h"
#include "ops/partial_sums.h"

namespace bertha::ops {

Support CpuKernels::support(std::string_view op, DType dtype) const {
  const bool fp8 = op == Fp8Linear::kName || op == Fp8LinearBackward::kName;
  const bool is_product = fp8 || op == Linear::kName || op == LinearBackward::kName;
  if (is_product && !has_products(dtype)) return Support::kAbsent;
  const bool composed = fp8 || op == Lamb::kName || op == EmbeddingBackward::kName;
  return composed ? Support::kComposed : Support::kNative;
}

ScratchShapes CpuKernels::scratch(const EmbeddingBackward& op) const {
  return {.values = partial_sums(op.z.dim(0), 2, op.z.dim(1))};
}

ScratchShapes CpuKernels::scratch(const LayerNormBackward& op) const {
  return {.values = partial_sums(op.z.dim(0), 2, op.z.dim(1))};
}

ScratchShapes CpuKernels::scratch(const Linear& /*op*/) const {
  return {};
}

ScratchShapes CpuKernels::scratch(const LinearBackward& op) const {
  return {
      .values = {.shape = {weight_gradient_scratch(op.d_y.tensor(), op.x)}, .dtype = DType::kU8}};
}

ScratchShapes CpuKernels::scratch(const AttentionBackward& /*op*/) const {
  return {};
}

ScratchShapes CpuKernels::scratch(const CrossEntropy& op) const {
  return {.values = loss_parts(op.labels)};
}

ScratchShapes CpuKernels::scratch(const SequenceCrossEntropy& op) const {
  return {.values = loss_parts(op.labels)};
}

ScratchShapes CpuKernels::scratch(const GlobalNorm& op) const {
  const ParameterSpan whole = {.size = op.values.size()};
  return {.values = block_squares({&whole, 1}, 1)};
}

ScratchShapes CpuKernels::scratch(const ClipNormEach& op) const {
  return {.values = block_squares(op.spans, 1), .factors = span_factors(op.spans)};
}

ScratchShapes CpuKernels::scratch(const Lamb& op) const {
  return {.values = block_squares(op.spans, 2), .factors = span_factors(op.spans)};
}

void CpuKernels::run(const Copy& op) {
  cpu::copy_bytes(op.from, op.to);
}

void CpuKernels::run(const Zero& op) {
  cpu::zero_bytes(op.to);
}

}  // namespace bertha::ops
