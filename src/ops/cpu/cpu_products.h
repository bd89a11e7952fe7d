#pragma once

// Matrix products on the kernels of product_kernels.h. A product is cut into blocks of rows by
// panels of columns, which the thread pool runs. Weights for inference come packed. Those that
// change are packed by each block where there are many rows; where there are few, packing would
// take longer than the product, and copies of the packed weights are kept
// (backend/cpu/weight_copies.h).
//
// bf16 products on AMX run on oneDNN instead (backend/cpu/onednn.h).

#include "backend/cpu/cpu_device.h"
#include "core/tensor.h"
#include "ops/linear.h"

namespace bertha::ops {

/// False where this processor has no product for the dtype.
bool has_products(DType dtype);
/// Channels of the panels that multiply_forward() takes; 0: it takes rows alone.
int64_t product_panel_channels(DType dtype);

/// y [T,N] = activation(x [T,K] wᵀ + b), w [N,K] or panels (ops/weight_panels.h), b f32 [N] or
/// absent.
void multiply_forward(cpu::CpuDevice& device, const Tensor& x, const Tensor& w, const Tensor& b,
                      Activation activation, Out y);
/// d_x [T,K] = d_y [T,N] w, or += where `write` says so.
void multiply_backward_data(cpu::CpuDevice& device, const Tensor& d_y, const Tensor& w, Write write,
                            InOut d_x);
/// d_w f32 [N,K] += d_yᵀ x. `scratch` has weight_gradient_scratch() bytes.
void multiply_backward_weights(const Tensor& d_y, const Tensor& x, InOut d_w, Out scratch);
int64_t weight_gradient_scratch(const Tensor& d_y, const Tensor& x);

}  // namespace bertha::ops
