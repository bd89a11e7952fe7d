#include "ops/cuda/cuda_scratch.h"

#include "ops/partial_sums.h"

namespace bertha::ops {

Support CudaScratch::support(std::string_view op, DType /*dtype*/) const {
  if (op == Int8Linear::kName) return Support::kAbsent;
  const bool composed = op == Lamb::kName || op == EmbeddingBackward::kName;
  return composed ? Support::kComposed : Support::kNative;
}

ScratchShapes CudaScratch::scratch(const EmbeddingBackward& op) const {
  return {.values = partial_sums(op.z.dim(0), 2, op.z.dim(1))};
}

ScratchShapes CudaScratch::scratch(const LayerNormBackward& op) const {
  return {.values = partial_sums(op.z.dim(0), 2, op.z.dim(1))};
}

ScratchShapes CudaScratch::scratch(const Linear& op) const {
  if (op.b.empty()) return {};
  return {.values = {.shape = op.b.shape(), .dtype = op.x.dtype()}};
}

ScratchShapes CudaScratch::scratch(const LinearBackward& op) const {
  if (op.d_b.empty()) return {};
  return {.values = partial_sums(op.x.dim(0), 1, op.w.dim(0))};
}

ScratchShapes CudaScratch::scratch(const Int8Linear& /*op*/) const {
  return {};
}

ScratchShapes CudaScratch::scratch(const AttentionBackward& op) const {
  return {.values = {.shape = op.lse.shape()}};
}

ScratchShapes CudaScratch::scratch(const CrossEntropy& op) const {
  return {.values = loss_parts(op.labels)};
}

ScratchShapes CudaScratch::scratch(const SequenceCrossEntropy& op) const {
  return {.values = loss_parts(op.labels)};
}

ScratchShapes CudaScratch::scratch(const GlobalNorm& op) const {
  const ParameterSpan whole = {.size = op.values.size()};
  return {.values = block_squares({&whole, 1}, 1)};
}

ScratchShapes CudaScratch::scratch(const ClipNormEach& op) const {
  return {.values = block_squares(op.spans, 1), .factors = span_factors(op.spans)};
}

ScratchShapes CudaScratch::scratch(const Lamb& op) const {
  return {.values = block_squares(op.spans, 2), .factors = span_factors(op.spans)};
}

}  // namespace bertha::ops
