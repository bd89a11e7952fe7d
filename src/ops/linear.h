#pragma once

// y = act(x wᵀ + b): the matrix products of the model, with what is fused to them. T tokens, K
// columns of x, N rows of w.

#include <cstdint>
#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

enum class Activation : uint8_t {
  kNone,
  kGelu,  ///< x Φ(x), the erf form (Hendrycks, Gimpel 2016)
  kTanh,
  kGeluTanh,  ///< x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), its approximation there
  kRelu,      ///< max(x, 0)
  kSilu       ///< x / (1 + exp(-x)) (Elfwing et al. 2017)
};

/// Whether the backward pass needs x wᵀ + b; else the result is enough. kRelu takes either.
constexpr bool needs_input(Activation activation) {
  return activation != Activation::kNone && activation != Activation::kTanh;
}

/// How a gradient is written where the contract leaves the choice to the caller.
enum class Write : uint8_t { kSet, kAdd };

/// Sums are fp32. w is a parameter. Of rows [N,K] a device may keep a copy in a layout of its own,
/// which Device::parameters_changed() makes stale; freeing its buffer drops the copy. Panels are
/// read as they are.
struct Linear {
  Tensor x;       ///< [T,K] f32 or bf16
  Tensor w;       ///< [N,K], or panels (weight_panels.h) of the width of Kernels::panel_channels();
                  ///< of x's dtype
  Tensor b = {};  ///< [N] f32; absent: 0
  /// [N], b in x's dtype, for devices whose products add a bias of that type alone. May be absent:
  /// such a device then rounds b itself.
  Tensor b_rounded = {};
  Activation activation = Activation::kNone;
  Out y;           ///< [T,N], of x's dtype
  Out saved = {};  ///< [T,N], of x's dtype: x wᵀ + b, for needs_input() activations;
                   ///< absent for the others and where no backward pass follows

  static constexpr std::string_view kName = "linear";
  bool takes_panels() const { return w.shape().rank() == 4; }
  void check() const;
  Cost cost() const;
  /// False where x has no rows.
  bool has_work() const;
};
void linear(Context& context, const Linear& op);

/// The gradients of linear's operands.
struct LinearBackward {
  Tensor x;  ///< [T,K] f32 or bf16
  Tensor w;  ///< [N,K], of x's dtype
  /// [T,N]: linear's `saved` for needs_input() activations, its y for kTanh and if wanted for
  /// kRelu, absent for kNone.
  Tensor saved = {};
  Activation activation = Activation::kNone;
  InOut d_y;       ///< [T,N]: the gradient of y on entry, that of x wᵀ + b on exit
  InOut d_x = {};  ///< [T,K]; absent: not wanted
  Write d_x_write = Write::kSet;
  InOut d_w;  ///< [N,K] f32, added to, or overwritten with kSet
  Write d_w_write = Write::kAdd;
  InOut d_b = {};  ///< [N] f32, added to; absent where b is

  static constexpr std::string_view kName = "linear, backward";
  void check() const;
  Cost cost() const;
  /// False where x has no rows.
  bool has_work() const;
  /// True where d_y is read before the products: for the activation or for the sums in d_b.
  bool reads_d_y_first() const { return activation != Activation::kNone || !d_b.empty(); }
};
void linear_backward(Context& context, const LinearBackward& op);

/// Cost of one product over x [T,K], w and y [T,N].
inline Cost product_cost(const Tensor& x, const Tensor& w, const Tensor& y) {
  return {.flops = 2 * x.size() * y.dim(1), .bytes = bytes_of(x, w, y)};
}

}  // namespace bertha::ops
