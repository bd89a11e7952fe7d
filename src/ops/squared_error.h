#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// The loss of regression: squared error of M predictions. The sum is in double.
struct SquaredError {
  InOut predictions;  ///< [M,1] f32; with `scale` they become their gradient,
                      ///< 2 * scale * (prediction - target); without it they stay
  Tensor targets;     ///< [M] f32
  Tensor scale = {};  ///< [1] f32; absent: no gradient is wanted
  Out result;         ///< [2] f32 = {Σ (prediction - target)², 0}: a number has no hits

  static constexpr std::string_view kName = "squared error";
  void check() const;
  Cost cost() const;
};
void squared_error(Context& context, const SquaredError& op);

}  // namespace bertha::ops
