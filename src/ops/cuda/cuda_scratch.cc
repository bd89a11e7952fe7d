#include "ops/cuda/cuda_scratch.h"

#include "ops/cuda/attention_tiles.h"
#include "ops/partial_sums.h"

namespace bertha::ops {

int64_t gradient_blocks(int64_t rows, int64_t columns) {
  constexpr int64_t kThreads = 32;
  constexpr int64_t kPack = 8;
  const int64_t of_block = kThreads * (columns % kPack == 0 ? kPack : 1);
  return (columns + of_block - 1) / of_block * partial_blocks(rows);
}

Support CudaScratch::support(std::string_view op, DType /*dtype*/) const {
  if (op == Int8Linear::kName) return Support::kAbsent;
  const bool fp8 = op == Fp8Linear::kName || op == Fp8LinearBackward::kName;
  const bool composed = fp8 || op == Lamb::kName || op == EmbeddingBackward::kName;
  return composed ? Support::kComposed : Support::kNative;
}

ScratchShapes CudaScratch::scratch(const EmbeddingBackward& op) const {
  return {.values = partial_sums(op.z.dim(0), 2, op.z.dim(1))};
}

ScratchShapes CudaScratch::scratch(const LayerNormBackward& op) const {
  return {.values = partial_sums(op.z.dim(0), 2, op.z.dim(1))};
}

ScratchShapes CudaScratch::scratch(const Linear& op) const {
  if (op.b.empty() || op.x.dtype() == op.b.dtype() || !op.b_rounded.empty()) return {};
  return {.values = {.shape = op.b.shape(), .dtype = op.x.dtype()}};
}

ScratchShapes CudaScratch::scratch(const LinearBackward& op) const {
  if (op.d_b.empty()) return {};
  return {.values = partial_sums(op.x.dim(0), 1, op.w.dim(0))};
}

ScratchShapes CudaScratch::scratch(const Int8Linear& /*op*/) const {
  return {};
}

ScratchShapes CudaScratch::scratch(const Fp8Linear& op) const {
  return {.values = {.shape = {fp8_rounded_elements(op.linear.x, op.linear.w, false)},
                     .dtype = op.linear.x.dtype()},
          .factors = {.shape = {kFp8Partials}},
          .products = scratch(op.linear).values};
}

/// As bytes, the gradient takes two places and x and w one; rounded, all take an element.
ScratchShapes CudaScratch::scratch(const Fp8LinearBackward& op) const {
  return {.values = {.shape = {fp8_rounded_elements(op.linear.x, op.linear.w, true) +
                               2 * kAlignmentBytes},
                     .dtype = op.linear.x.dtype()},
          .factors = {.shape = {gradient_blocks(op.linear.x.dim(0), op.linear.w.dim(0))}},
          .products = scratch(op.linear).values};
}

ScratchShapes CudaScratch::scratch(const AttentionBackward& op) const {
  return {.values = {.shape = op.lse.shape()}};
}

ScratchShape CudaScratch::kept_dropout(const Attention& op) const {
  const int64_t tokens = op.qkv.dim(0);
  const int64_t heads = op.shape.heads;
  if (op.qkv.dtype() != DType::kBF16 || op.qkv.dim(1) != 3 * heads * kTensorCoreHeadSize) return {};
  return {.shape = {attention_tile_slots(tokens, op.seq_start.dim(0) - 1), heads,
                    attention_key_tiles(tokens, op.shape.max_length), kAttentionTileWords},
          .dtype = DType::kI32};
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
