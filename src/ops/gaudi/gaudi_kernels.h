#pragma once

#include "backend/gaudi/graph_device.h"
#include "ops/gaudi/dropout_gaudi.h"
#include "ops/gaudi/kernel_candidates.h"
#include "ops/gaudi/node_builder.h"
#include "ops/kernels.h"

namespace bertha::ops {

/// The ops on a Gaudi device: each adds nodes to the graph that the device records. x_gaudi.cc has
/// run() of the ops in ops/x.h.
class GaudiKernels final : public Kernels {
 public:
  /// The device must outlive them.
  explicit GaudiKernels(gaudi::GraphDevice& device);

  Support support(std::string_view op, DType dtype) const override;
  /// The ways that were chosen among several (kernel_candidates.h).
  const KernelCandidates& candidates() const { return candidates_; }

  // The compiler finds memory for what nodes need beside their operands.
  ScratchShapes scratch(const EmbeddingBackward&) const override { return {}; }
  ScratchShapes scratch(const LayerNormBackward&) const override { return {}; }
  ScratchShapes scratch(const Linear&) const override { return {}; }
  ScratchShapes scratch(const LinearBackward&) const override { return {}; }
  ScratchShapes scratch(const Int8Linear&) const override { return {}; }
  ScratchShapes scratch(const Fp8Linear&) const override { return {}; }
  ScratchShapes scratch(const Fp8LinearBackward&) const override { return {}; }
  ScratchShapes scratch(const AttentionBackward&) const override { return {}; }
  ScratchShapes scratch(const CrossEntropy&) const override { return {}; }
  ScratchShapes scratch(const SequenceCrossEntropy&) const override { return {}; }
  ScratchShapes scratch(const GlobalNorm&) const override { return {}; }
  ScratchShapes scratch(const ClipNormEach&) const override { return {}; }
  ScratchShapes scratch(const Lamb&) const override { return {}; }

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
  /// Calls body(nodes) within the recording.
  template <typename Op, typename Body>
  void record(const Op& /*op*/, const Body& body) {
    device_.record(Op::kName, [&] { body(NodeBuilder(device_.recorder())); });
  }

  gaudi::GraphDevice& device_;
  KernelCandidates candidates_;
  MaskSource masks_;
};

}  // namespace bertha::ops
