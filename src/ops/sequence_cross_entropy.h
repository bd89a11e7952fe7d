#pragma once

#include "core/context.h"

namespace bertha::ops {

/// Softmax cross entropy over the tokens of a sequence: which of them is the one? logits f32 [T,C]
/// are C questions asked of every sequence (start and end of an answer); seq_start i32 [N+1];
/// labels i32 [N,C] count from the sequence's first token, -1 weighs nothing. result f32 [2] =
/// {Σ -log softmax(logits of the sequence)[label], number of labels that have the largest logit
/// (lowest token of equals)}. With `scale` (f32 [1], on the device) the logits become their
/// gradient, scale * (softmax - onehot), 0 in rows that belong to no sequence; without it (absent)
/// they stay. Sums are in double.
void sequence_cross_entropy(Context& context, InOut logits, const Tensor& seq_start,
                            const Tensor& labels, const Tensor& scale, Out result);

}  // namespace bertha::ops
