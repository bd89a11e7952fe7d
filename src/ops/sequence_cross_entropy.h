#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// Softmax cross entropy over the tokens of a sequence: which of them is the one? C questions are
/// asked of each of N sequences (start and end of an answer). Sums are in double.
struct SequenceCrossEntropy {
  InOut logits;       ///< [T,C] f32; with `scale` they become their gradient,
                      ///< scale * (softmax - onehot), 0 in rows that belong to no sequence; without
                      ///< it they stay
  Tensor seq_start;   ///< [N+1] i32
  Tensor labels;      ///< [N,C] i32, counted from the sequence's first token; -1 weighs nothing
  Tensor scale = {};  ///< [1] f32; absent: no gradient is wanted
  Out result;  ///< [2] f32 = {Σ -log softmax(logits of the sequence)[label], number of labels
               ///< that have the largest logit (lowest token of equals)}

  static constexpr std::string_view kName = "sequence cross entropy";
  void check() const;
  Cost cost() const;
};
void sequence_cross_entropy(Context& context, const SequenceCrossEntropy& op);

}  // namespace bertha::ops
