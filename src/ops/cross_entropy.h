#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// Softmax cross entropy of M rows over V classes. Sums are fp32 or wider.
struct CrossEntropy {
  InOut logits;       ///< [M,V] f32 or bf16; with `scale` they become their gradient,
                      ///< scale * (softmax - onehot), 0 in rows of label -1; without it they stay
  Tensor labels;      ///< [M] i32; a row of label -1 weighs nothing
  Tensor scale = {};  ///< [1] f32; absent: no gradient is wanted
  Out result;         ///< [2] f32 = {Σ -log softmax(logits)[label], number of rows whose largest
                      ///< logit (lowest index of equals) is the label}

  static constexpr std::string_view kName = "cross entropy";
  void check() const;
  Cost cost() const;
};
void cross_entropy(Context& context, const CrossEntropy& op);

}  // namespace bertha::ops
