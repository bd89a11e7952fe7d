#pragma once

// Residual + dropout + LayerNorm (Ba, Kiros, Hinton 2016), and LayerNorm alone. Statistics are
// fp32 and two-pass.

#include "core/context.h"
#include "ops/dropout.h"

namespace bertha::ops {

/// On entry z [T,H] is x; on exit z = dropout(x) + residual (absent: 0), which the backward pass
/// needs. y [T,H] = (z - mean) * rstd * gamma + beta, rstd = 1 / √(variance + eps). z, residual and
/// y f32 or bf16; gamma, beta f32 [H]; mean, rstd f32 [T]. The dropout element is row * H + column.
void layer_norm(Context& context, InOut z, const Tensor& residual, const Tensor& gamma,
                const Tensor& beta, float eps, const Dropout& dropout, Out y, Out mean, Out rstd);

/// On entry d [T,H] is the gradient of y, on exit that of z, which is also the residual's. d_x
/// receives dropout's gradient; absent when there is no dropout (it would equal d). d_gamma and
/// d_beta f32 [H] are added to.
void layer_norm_backward(Context& context, const Tensor& z, const Tensor& mean, const Tensor& rstd,
                         const Tensor& gamma, const Dropout& dropout, InOut d, Out d_x,
                         InOut d_gamma, InOut d_beta);

}  // namespace bertha::ops
