#pragma once

// What the CUDA kernels need beside the operands. Plain C++, built into every program: a plan of a
// run on a GPU (plan/planned_device.h) asks for it where no GPU and no CUDA is.

#include "ops/kernels.h"

namespace bertha::ops {

/// Blocks that the largest magnitude of an operand is taken by, at most.
inline constexpr int64_t kFp8Partials = 1024;

/// Blocks of the kernel that makes a gradient [rows, columns] the one before the activation.
int64_t gradient_blocks(int64_t rows, int64_t columns);

/// The part of the CUDA kernels that runs nothing.
class CudaScratch : public Kernels {
 public:
  Support support(std::string_view op, DType dtype) const override;

  /// Partial sums of d_gamma and d_beta, then of the token types.
  ScratchShapes scratch(const EmbeddingBackward& op) const override;
  /// Partial sums of d_gamma and d_beta.
  ScratchShapes scratch(const LayerNormBackward& op) const override;
  /// The bias in x's dtype, where the caller has none.
  ScratchShapes scratch(const Linear& op) const override;
  /// Partial sums of d_b.
  ScratchShapes scratch(const LinearBackward& op) const override;
  ScratchShapes scratch(const Int8Linear& op) const override;
  /// The rounded operands; partial maxima; and the scratch of the product alone.
  ScratchShapes scratch(const Fp8Linear& op) const override;
  ScratchShapes scratch(const Fp8LinearBackward& op) const override;
  /// Σ d_y y of each row and head.
  ScratchShapes scratch(const AttentionBackward& op) const override;
  /// A bit for each probability of the tensor core kernels' tiles.
  ScratchShape kept_dropout(const Attention& op) const override;
  /// Loss and hit of each row.
  ScratchShapes scratch(const CrossEntropy& op) const override;
  /// Loss and hit of each label.
  ScratchShapes scratch(const SequenceCrossEntropy& op) const override;
  /// Squares of each block, and of the last two a factor for each parameter.
  ScratchShapes scratch(const GlobalNorm& op) const override;
  ScratchShapes scratch(const ClipNormEach& op) const override;
  ScratchShapes scratch(const Lamb& op) const override;
};

}  // namespace bertha::ops
