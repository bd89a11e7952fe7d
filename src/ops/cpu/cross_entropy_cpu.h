#pragma once

#include "core/tensor.h"

namespace bertha::ops {

/// `row_results` f64 [M,2] is scratch: each row's loss and hit.
void cross_entropy_cpu(InOut logits, const Tensor& labels, const Tensor& scale,
                       const Tensor& row_results, Out result);

}  // namespace bertha::ops
