#pragma once

#include "ops/gaudi/kernel_candidates.h"
#include "ops/gaudi/node_builder.h"

namespace bertha::ops {

/// Rows x {H,T}, gamma and beta f32 {H}: y of x's type, mean and rstd f32 {T}.
struct Normalised {
  Value y, mean, rstd;
};
Normalised normalise(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& x,
                     const Tensor& gamma, const Tensor& beta, float eps);

/// The gradients of x in its type, and of gamma and beta in f32 {H}.
struct NormalisedGradients {
  Value x, gamma, beta;
};
struct NormalisedOperands {
  Value x, mean, rstd, d_y;
  Tensor gamma;
};
NormalisedGradients normalise_backward(const NodeBuilder& nodes, KernelCandidates& candidates,
                                       const NormalisedOperands& of);

}  // namespace bertha::ops
