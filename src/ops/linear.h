#pragma once

// y = act(x wᵀ + b): the matrix products of the model, with what is fused to them.

#include <cstdint>

#include "core/context.h"

namespace bertha::ops {

enum class Activation : uint8_t { kNone, kGelu, kTanh };

/// How a gradient is written where the contract leaves the choice to the caller.
enum class Write : uint8_t { kSet, kAdd };

/// x [T,K], w [N,K], y [T,N] of one dtype (f32 or bf16); b f32 [N] or absent. GELU is the erf form
/// x Φ(x) (Hendrycks, Gimpel 2016). `saved` [T,N], of x's dtype, is what the backward of kGelu
/// needs, x wᵀ + b; absent for the other activations and where no backward follows.
/// Sums are fp32. w is a parameter: a device may keep a copy of it in a layout of its own, which
/// Device::parameters_changed() makes stale; freeing its buffer drops the copy.
void linear(Context& context, const Tensor& x, const Tensor& w, const Tensor& b,
            Activation activation, Out y, Out saved);

/// On entry d_y [T,N] is the gradient of y; on exit that of x wᵀ + b. `saved` is linear's for
/// kGelu, y for kTanh, absent for kNone. d_x [T,K] (absent: not wanted) is set or added to as
/// `d_x_write` says; d_w f32 [N,K] and d_b f32 [N] (absent where b is) are added to.
void linear_backward(Context& context, const Tensor& x, const Tensor& w, const Tensor& saved,
                     Activation activation, InOut d_y, InOut d_x, Write d_x_write, InOut d_w,
                     InOut d_b);

}  // namespace bertha::ops
