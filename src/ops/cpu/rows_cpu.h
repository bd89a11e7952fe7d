#pragma once

#include "core/tensor.h"

namespace bertha::ops {

void gather_rows_cpu(const Tensor& x, const Tensor& rows, Out y);
void gather_rows_backward_cpu(const Tensor& d_y, const Tensor& rows, InOut d_x);

}  // namespace bertha::ops
