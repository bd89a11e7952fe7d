#pragma once

#include "backend/cpu/cpu_device.h"
#include "core/tensor.h"
#include "ops/linear.h"

namespace bertha::ops {

void linear_cpu(cpu::CpuDevice& device, const Tensor& x, const Tensor& w, const Tensor& b,
                Activation activation, Out y, Out saved);
void linear_backward_cpu(cpu::CpuDevice& device, const Tensor& x, const Tensor& w,
                         const Tensor& saved, Activation activation, InOut d_y, InOut d_x,
                         Write d_x_write, InOut d_w, InOut d_b);

}  // namespace bertha::ops
