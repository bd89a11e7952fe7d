#pragma once

// Picking rows out of a batch ([CLS] tokens, masked tokens) and giving their gradients back.

#include "core/context.h"

namespace bertha::ops {

/// y [M,H] = x[rows], x [T,H] f32 or bf16, rows i32 [M] in [0, T).
void gather_rows(Context& context, const Tensor& x, const Tensor& rows, Out y);

/// d_x[rows[i]] += d_y[i], in the order of i where a row is named twice.
void gather_rows_backward(Context& context, const Tensor& d_y, const Tensor& rows, InOut d_x);

}  // namespace bertha::ops
