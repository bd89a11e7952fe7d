#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// to = from: f32 rounded to bf16, or bf16 widened to f32. Sizes are equal.
struct Convert {
  Tensor from;
  Out to;

  static constexpr std::string_view kName = "convert";
  void check() const;
  Cost cost() const;
};
void convert(Context& context, const Convert& op);

}  // namespace bertha::ops
