#pragma once

#include "core/context.h"

namespace bertha::ops {

/// Softmax cross entropy of logits [M,V] (f32 or bf16) with labels i32 [M]; a row of label -1
/// weighs nothing. result f32 [2] = {Σ -log softmax(logits)[label], number of rows whose largest
/// logit (lowest index of equals) is the label}. With `scale` (f32 [1], on the device) the logits
/// become their gradient, scale * (softmax - onehot), 0 in rows of label -1; without it (absent)
/// they stay. Sums are fp32 or wider.
void cross_entropy(Context& context, InOut logits, const Tensor& labels, const Tensor& scale,
                   Out result);

}  // namespace bertha::ops
