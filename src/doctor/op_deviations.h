#pragma once

// The checks of the ops, as specialisations for the structs that name them. op_checks.h makes a
// table of them.

#include <optional>

#include "doctor/op_workbench.h"

namespace bertha::doctor {

/// Runs the op on values of `dtype` and compares every result with the reference.
template <typename Op>
std::optional<double> deviation_of(OpWorkbench& bench, DType dtype);

}  // namespace bertha::doctor
