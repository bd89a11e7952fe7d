#pragma once

// The part of a product's backward pass before the products.

#include "ops/linear.h"

namespace bertha::ops {

/// Makes d_y the gradient before the activation and adds its column sums to d_b.
void activation_backward_cpu(const LinearBackward& op);

}  // namespace bertha::ops
