#pragma once

// One check for each op: a few hundred values against the reference in double, on the device that
// this machine has. They find a kernel that is wrong on this kind of processor, not every case; the
// tests of ops/ do that.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/op_workbench.h"

namespace bertha::doctor {

struct OpCheck {
  std::string_view op;
  /// The largest deviation in units of what rounding may cause (Deviation); nothing where the op
  /// has no such type.
  std::optional<double> (*deviation)(OpWorkbench& bench, DType dtype);
};

/// A row for each op of ops::EveryOp, in its order. An op without a check does not link.
std::vector<OpCheck> op_checks();

struct OpResult {
  std::string op;
  std::string dtype;
  double deviation = 0;
  std::string error;  ///< what the op threw, if it did

  bool right() const { return error.empty() && deviation <= 1; }
};

/// Runs every check on the device, in f32 and, where the device has such products, in bf16.
std::vector<OpResult> check_ops(Device& device);

}  // namespace bertha::doctor
