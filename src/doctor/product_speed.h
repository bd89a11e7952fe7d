#pragma once

#include "core/device.h"

namespace bertha::doctor {

/// GFLOP/s of a product of square matrices, larger ones on an accelerator: the best of several
/// calls.
double product_gflops(Device& device, DType dtype);

}  // namespace bertha::doctor
