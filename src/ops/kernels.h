#pragma once

// What a device must be able to run: one virtual function an op. ops/cpu and ops/cuda define a
// class each; an op that such a class does not override is a compile error there.

#include <cstdint>
#include <string_view>

#include "core/tensor.h"
#include "ops/attention.h"
#include "ops/binary_cross_entropy.h"
#include "ops/convert.h"
#include "ops/copy.h"
#include "ops/cross_entropy.h"
#include "ops/embedding.h"
#include "ops/fp8_linear.h"
#include "ops/int8_linear.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/optimizer_steps.h"
#include "ops/rows.h"
#include "ops/sequence_cross_entropy.h"
#include "ops/squared_error.h"
#include "ops/zero.h"

namespace bertha::ops {

/// How a device runs an op.
enum class Support : uint8_t {
  kNative,    ///< by a kernel of its own
  kComposed,  ///< by kernels of other ops, one after the other
  kAbsent     ///< not at all
};

/// Shape and dtype of a value that a kernel needs beside the operands; rank 0: none.
struct ScratchShape {
  Shape shape = {};
  DType dtype = DType::kF32;
};

/// What a kernel needs for the length of its call. Each device's header says what it holds.
struct ScratchShapes {
  ScratchShape values = {};
  ScratchShape factors = {};   ///< one for each parameter, in the optimizer's passes
  ScratchShape products = {};  ///< for the products of a composed op
};
struct Scratch {
  Tensor values;
  Tensor factors = {};
  Tensor products = {};
};

/// The ops of one device. dispatch() alone calls run(): the operands are checked, and `scratch` has
/// the shapes that scratch() asked for. scratch() answers from shapes and dtypes, also for operands
/// without memory.
class Kernels {
 public:
  Kernels() = default;
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;
  virtual ~Kernels() = default;

  /// `op` is the op's kName, `dtype` that of its activations.
  virtual Support support(std::string_view op, DType dtype) const = 0;
  /// Channels of the panels in which Linear takes weights of this dtype (weight_panels.h); 0: it
  /// takes rows alone.
  virtual int64_t panel_channels(DType /*dtype*/) const { return 0; }

  virtual ScratchShapes scratch(const EmbeddingBackward& op) const = 0;
  virtual ScratchShapes scratch(const LayerNormBackward& op) const = 0;
  virtual ScratchShapes scratch(const Linear& op) const = 0;
  virtual ScratchShapes scratch(const LinearBackward& op) const = 0;
  virtual ScratchShapes scratch(const Int8Linear& op) const = 0;
  virtual ScratchShapes scratch(const Fp8Linear& op) const = 0;
  virtual ScratchShapes scratch(const Fp8LinearBackward& op) const = 0;
  virtual ScratchShapes scratch(const AttentionBackward& op) const = 0;
  virtual ScratchShapes scratch(const CrossEntropy& op) const = 0;
  virtual ScratchShapes scratch(const SequenceCrossEntropy& op) const = 0;
  virtual ScratchShapes scratch(const GlobalNorm& op) const = 0;
  virtual ScratchShapes scratch(const ClipNormEach& op) const = 0;
  virtual ScratchShapes scratch(const Lamb& op) const = 0;

  /// What the forward pass may keep of its dropout for the backward pass; rank 0: nothing.
  virtual ScratchShape kept_dropout(const Attention& /*op*/) const { return {}; }

  virtual void run(const Embedding& op) = 0;
  virtual void run(const EmbeddingBackward& op, const Scratch& scratch) = 0;
  virtual void run(const LayerNorm& op) = 0;
  virtual void run(const LayerNormBackward& op, const Scratch& scratch) = 0;
  virtual void run(const Linear& op, const Scratch& scratch) = 0;
  virtual void run(const LinearBackward& op, const Scratch& scratch) = 0;
  virtual void run(const Int8Linear& op, const Scratch& scratch) = 0;
  virtual void run(const Fp8Linear& op, const Scratch& scratch) = 0;
  virtual void run(const Fp8LinearBackward& op, const Scratch& scratch) = 0;
  virtual void run(const Attention& op) = 0;
  virtual void run(const AttentionBackward& op, const Scratch& scratch) = 0;
  virtual void run(const CrossEntropy& op, const Scratch& scratch) = 0;
  virtual void run(const SequenceCrossEntropy& op, const Scratch& scratch) = 0;
  virtual void run(const BinaryCrossEntropy& op) = 0;
  virtual void run(const SquaredError& op) = 0;
  virtual void run(const GatherRows& op) = 0;
  virtual void run(const GatherRowsBackward& op) = 0;
  virtual void run(const Convert& op) = 0;
  virtual void run(const Copy& op) = 0;
  virtual void run(const Zero& op) = 0;
  virtual void run(const GlobalNorm& op, const Scratch& scratch) = 0;
  virtual void run(const SquareBlocks& op) = 0;
  virtual void run(const ClipNorm& op) = 0;
  virtual void run(const ClipNormEach& op, const Scratch& scratch) = 0;
  virtual void run(const Lamb& op, const Scratch& scratch) = 0;
  virtual void run(const LambUpdate& op) = 0;
  virtual void run(const LambApply& op) = 0;
  virtual void run(const AdamW& op) = 0;
};

/// True for an op whose kernels may need scratch.
template <typename Op>
concept NeedsScratch = requires(const Kernels& kernels, const Op& op) {
  kernels.scratch(op);
};

/// The kernels of a device. A device of the table (backend/devices.h) is given those of its kind at
/// the first call; any other must have been given its own.
Kernels& kernels_of(Device& device);

}  // namespace bertha::ops
