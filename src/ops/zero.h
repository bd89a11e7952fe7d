#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// Every element of `to`, of any dtype and shape, becomes 0.
struct Zero {
  Out to;

  static constexpr std::string_view kName = "zero";
  void check() const;
  Cost cost() const;
};
void zero(Context& context, const Zero& op);

}  // namespace bertha::ops
