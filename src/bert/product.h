#pragma once

// A product of the model with a weight, in the form in which the store keeps it.

#include "bert/parameters.h"
#include "core/context.h"
#include "ops/linear.h"

namespace bertha::bert {

/// y = act(x wᵀ + b), as ops::Linear. `saved` is for weights in the compute dtype: no backward pass
/// follows a product of integers, and it is left alone.
struct Product {
  Tensor x;  ///< [T,K]
  ProductWeight w;
  Tensor b;               ///< [N] f32
  Tensor b_rounded = {};  ///< [N], as in ops::Linear
  ops::Activation activation = ops::Activation::kNone;
  Out y;  ///< [T,N]
  Out saved = {};
  Fp8States fp8 = {};  ///< of a training step
  /// False where the forward pass runs again for the backward pass.
  bool notes = true;
};
void product(Context& context, const Product& op);

/// The gradients of a product, in fp8 where it was. `w` of the op is in the compute dtype.
void product_backward(Context& context, const ops::LinearBackward& op, const Fp8States& fp8);

}  // namespace bertha::bert
