#pragma once

// linear for inference with weights of 8 bits: y = act(x wᵀ + b). Each token's values are rounded
// to integers with a scale and a zero point of its own (dynamic affine quantisation: Jacob et al.
// 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only
// inference"; a scale for each token as in Dettmers et al. 2022, "LLM.int8()"), the products are
// summed in int32 without any rounding, and the sums are scaled back. T tokens, K columns of x,
// N channels.
//
// The range of a token is that of its values, so what lies on one side of zero for the most part
// (results of GELU, and hidden states with one large element) gets up to twice the resolution that
// a range symmetric about zero would give it.
//
// A token's results depend on that token alone, neither on the batch around it nor on the threads.

#include <cstdint>
#include <string_view>

#include "core/context.h"
#include "core/profile.h"
#include "ops/int8_weights.h"
#include "ops/linear.h"

namespace bertha::ops {

/// The weight of a product, in host or device memory.
struct Int8Weight {
  Tensor packed;  ///< i8 [N/16, D/4, 16, 4] (int8_weights.h)
  Tensor scales;  ///< f32 [N]
  Tensor sums;    ///< i32 [N]: Σ of each channel's integers

  int64_t channels() const { return scales.dim(0); }
};

/// With low = min(0, min x[t]), high = max(0, max x[t]), s = (high - low) / 255, z = round(-low /
/// s) and q = min(round(x / s) + z, 255): y = act(scales[n] s Σ_k (q[t][k] - z) w[n][k] + b). A
/// token of magnitudes below 2^-100 counts as zeros; one with NaN or infinity gives NaN. GELU and
/// its like are within 4e-5 max(1, |y|), far below what rounding x does.
struct Int8Linear {
  Tensor x;  ///< [T,K] f32 or bf16, K a multiple of 16
  Int8Weight w;
  Tensor b = {};  ///< [N] f32; absent: 0
  Activation activation = Activation::kNone;
  Out y;  ///< [T,N], of x's dtype

  static constexpr std::string_view kName = "linear, int8";
  void check() const;
  Cost cost() const;
  /// False where x has no rows.
  bool has_work() const { return x.dim(0) > 0; }
};
void int8_linear(Context& context, const Int8Linear& op);

}  // namespace bertha::ops
