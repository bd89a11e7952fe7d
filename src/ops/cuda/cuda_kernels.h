#pragma once

#include "backend/cuda/cuda_device.h"
#include "ops/cuda/cuda_scratch.h"

namespace bertha::ops {

/// The ops on a GPU, queued on the device's stream. x_cuda.cu holds run() of the ops in ops/x.h.
class CudaKernels final : public CudaScratch {
 public:
  /// The device must outlive them.
  explicit CudaKernels(cuda::CudaDevice& device) : device_(device) {}

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
  /// The bias of a product in x's dtype; `scratch` is that of Linear.
  Tensor bias_as_x(const Linear& op, const Scratch& scratch);

  cuda::CudaDevice& device_;
};

}  // namespace bertha::ops
