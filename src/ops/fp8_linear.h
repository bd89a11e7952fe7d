#pragma once

// The products of ops/linear.h on 8-bit floats, for training (Micikevicius et al. 2022, "FP8
// formats for deep learning"). Inputs and weights are rounded to E4M3, gradients to E5M2; each
// operand has a scale of its own, a power of two, from the largest magnitudes of its last uses.
// Sums are fp32; bias and activation are as they are. A number of either format times a power of
// two is a bf16 number, so a device without such products multiplies the rounded operands as bf16
// or f32, and its results differ by the order of sums alone.

#include <cstdint>
#include <string_view>

#include "core/context.h"
#include "core/fp8.h"
#include "core/profile.h"
#include "ops/linear.h"

namespace bertha::ops {

/// `linear` on rounded x and w.
struct Fp8Linear {
  Linear linear;
  InOut x_state;  ///< f32 [kFp8State]
  InOut w_state;  ///< f32 [kFp8State]
  /// False where the forward pass runs again for the backward pass: the states stay as the first
  /// run left them.
  bool notes = true;

  static constexpr std::string_view kName = "linear, fp8";
  void check() const;
  Cost cost() const { return linear.cost(); }
  bool has_work() const { return linear.has_work(); }
};
void fp8_linear(Context& context, const Fp8Linear& op);

/// `linear` with d_x and d_w from rounded operands. d_y leaves as the gradient of x wᵀ + b, not
/// rounded, and d_b is its sum.
struct Fp8LinearBackward {
  LinearBackward linear;
  Tensor x_state;   ///< f32 [kFp8State], as the forward pass left it
  Tensor w_state;   ///< f32 [kFp8State], the same
  InOut d_y_state;  ///< f32 [kFp8State]

  static constexpr std::string_view kName = "linear, fp8, backward";
  void check() const;
  Cost cost() const { return linear.cost(); }
  bool has_work() const { return linear.has_work(); }
};
void fp8_linear_backward(Context& context, const Fp8LinearBackward& op);

/// Scratch for the operands of a backward pass side by side, each rounded in x's dtype.
struct Fp8RoundedOperands {
  Tensor x, w, d_y;  ///< [T,K], [N,K], [T,N]
};
/// Elements of it, and the views in `scratch` [elements] of x's dtype; without d_y, those of a
/// forward pass.
int64_t fp8_rounded_elements(const Tensor& x, const Tensor& w, bool with_d_y);
Fp8RoundedOperands fp8_rounded_operands(const Tensor& scratch, const Tensor& x, const Tensor& w,
                                        bool with_d_y);

}  // namespace bertha::ops
