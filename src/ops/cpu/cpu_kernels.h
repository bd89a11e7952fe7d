#pragma once

#include "backend/cpu/cpu_device.h"
#include "ops/kernels.h"

namespace bertha::ops {

/// The ops in host memory, on all threads. x_cpu.cc holds run() of the ops in ops/x.h.
class CpuKernels final : public Kernels {
 public:
  /// The device must outlive them.
  explicit CpuKernels(cpu::CpuDevice& device) : device_(device) {}

  Support support(std::string_view op, DType dtype) const override;
  int64_t panel_channels(DType dtype) const override;

  /// Partial sums of d_gamma and d_beta.
  ScratchShapes scratch(const EmbeddingBackward& op) const override;
  ScratchShapes scratch(const LayerNormBackward& op) const override;
  ScratchShapes scratch(const Linear& op) const override;
  /// The operands of the weight gradient, packed.
  ScratchShapes scratch(const LinearBackward& op) const override;
  /// x as bytes; the scale of each token, and its byte of 0.
  ScratchShapes scratch(const Int8Linear& op) const override;
  /// The rounded operands, and the scratch of their products.
  ScratchShapes scratch(const Fp8Linear& op) const override;
  ScratchShapes scratch(const Fp8LinearBackward& op) const override;
  ScratchShapes scratch(const AttentionBackward& op) const override;
  /// Loss and hit of each row or label.
  ScratchShapes scratch(const CrossEntropy& op) const override;
  ScratchShapes scratch(const SequenceCrossEntropy& op) const override;
  /// Squares of each block, and of the last two a factor for each parameter.
  ScratchShapes scratch(const GlobalNorm& op) const override;
  ScratchShapes scratch(const ClipNormEach& op) const override;
  ScratchShapes scratch(const Lamb& op) const override;

  void run(const Embedding& op) override;
  void run(const EmbeddingBackward& op, const Scratch& scratch) override;
  void run(const LayerNorm& op) override;
  void run(const LayerNormBackward& op, const Scratch& scratch) override;
  void run(const Linear& op, const Scratch& scratch) override;
  void run(const LinearBackward& op, const Scratch& scratch) override;
  void run(const Int8Linear& op, const Scratch& scratch) override;
  void run(const Fp8Linear& op, const Scratch& scratch) override;
  void run(const Fp8LinearBackward& op, const Scratch& scratch) override;
  void run(const Attention& op) override;
  void run(const AttentionBackward& op, const Scratch& scratch) override;
  void run(const CrossEntropy& op, const Scratch& scratch) override;
  void run(const SequenceCrossEntropy& op, const Scratch& scratch) override;
  void run(const BinaryCrossEntropy& op) override;
  void run(const SquaredError& op) override;
  void run(const GatherRows& op) override;
  void run(const GatherRowsBackward& op) override;
  void run(const Convert& op) override;
  void run(const Copy& op) override;
  void run(const Zero& op) override;
  void run(const GlobalNorm& op, const Scratch& scratch) override;
  void run(const SquareBlocks& op) override;
  void run(const ClipNorm& op) override;
  void run(const ClipNormEach& op, const Scratch& scratch) override;
  void run(const Lamb& op, const Scratch& scratch) override;
  void run(const LambUpdate& op) override;
  void run(const LambApply& op) override;
  void run(const AdamW& op) override;

 private:
  cpu::CpuDevice& device_;
};

}  // namespace bertha::ops
