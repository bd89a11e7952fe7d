#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// The loss of labels that hold or not, each on its own (PyTorch's BCEWithLogitsLoss): binary cross
/// entropy of the sigmoid of C logits for each of N rows. The sum is in double.
struct BinaryCrossEntropy {
  InOut logits;       ///< [N,C] f32; with `scale` they become their gradient,
                      ///< scale * (sigmoid(logit) - target); without it they stay
  Tensor targets;     ///< [N,C] f32, from 0 to 1
  Tensor scale = {};  ///< [1] f32; absent: no gradient is wanted
  Out result;         ///< [2] f32 = {Σ losses, number of logits on the side of their target:
                      ///< from 0 on where it is at least 0.5, below 0 elsewhere}

  static constexpr std::string_view kName = "binary cross entropy";
  void check() const;
  Cost cost() const;
};
void binary_cross_entropy(Context& context, const BinaryCrossEntropy& op);

}  // namespace bertha::ops
