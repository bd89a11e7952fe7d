#pragma once

// Residual + dropout + LayerNorm (Ba, Kiros, Hinton 2016), and LayerNorm alone. Statistics are
// fp32 and two-pass. T rows, H columns.

#include <cstdint>
#include <string_view>

#include "core/context.h"
#include "core/profile.h"
#include "ops/dropout.h"

namespace bertha::ops {

/// Widest row that LayerNorm takes.
inline constexpr int64_t kMaxColumns = 16384;

/// z = dropout(x) + residual; y = (z - mean) * rstd * gamma + beta, with
/// rstd = 1 / √(variance + eps). The dropout element is row * H + column.
struct LayerNorm {
  InOut z;               ///< [T,H] f32 or bf16: x on entry, z on exit, for the backward pass
  Tensor residual = {};  ///< [T,H], of z's dtype; absent: 0
  Tensor gamma;          ///< [H] f32
  Tensor beta;           ///< [H] f32
  float eps;
  Dropout dropout = {};
  Out y;     ///< [T,H], of z's dtype
  Out mean;  ///< [T] f32
  Out rstd;  ///< [T] f32

  static constexpr std::string_view kName = "layer norm";
  void check() const;
  Cost cost() const;
};
void layer_norm(Context& context, const LayerNorm& op);

/// The gradients of LayerNorm's operands. The gradient of z is also that of the residual.
struct LayerNormBackward {
  Tensor z;      ///< [T,H] as the forward pass left it
  Tensor mean;   ///< [T] f32
  Tensor rstd;   ///< [T] f32
  Tensor gamma;  ///< [H] f32
  Dropout dropout = {};
  InOut d;        ///< [T,H], of z's dtype: the gradient of y on entry, that of z on exit
  Out d_x = {};   ///< [T,H]: the gradient of x; absent without dropout, where it would equal d
  InOut d_gamma;  ///< [H] f32, added to
  InOut d_beta;   ///< [H] f32, added to

  static constexpr std::string_view kName = "layer norm, backward";
  void check() const;
  Cost cost() const;
};
void layer_norm_backward(Context& context, const LayerNormBackward& op);

}  // namespace bertha::ops
