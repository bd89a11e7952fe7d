#pragma once

#include <string_view>

#include "core/context.h"
#include "core/profile.h"

namespace bertha::ops {

/// to = from, of the same dtype and size; they do not overlap.
struct Copy {
  Tensor from;
  Out to;

  static constexpr std::string_view kName = "copy";
  void check() const;
  Cost cost() const;
};
void copy(Context& context, const Copy& op);

}  // namespace bertha::ops
