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
  Tensor b;  ///< [N] f32
  ops::Activation activation = ops::Activation::kNone;
  Out y;  ///< [T,N]
  Out saved = {};
};
void product(Context& context, const Product& op);

}  // namespace bertha::bert
