#pragma once

// Matrix products by a kernel of our own, for those that cuBLASLt does not offer: products of odd
// sizes, which are tiny. They are correct for every size and fast for none.

#include <cstdint>

#include "backend/cuda/cuda_device.h"
#include "core/tensor.h"

namespace bertha::cuda {

/// A matrix as a factor: element (i, j) lies at i * row_stride + j * column_stride.
struct Factor {
  Tensor values;  ///< f32 or bf16
  int64_t row_stride = 0;
  int64_t column_stride = 0;
};

/// The row-major matrix [R,C], and its transpose.
Factor factor(const Tensor& matrix);
Factor transposed(const Tensor& matrix);

/// c [R,C] = a [R,depth] b [depth,C], or += with `add`. a and b have one dtype; c is of that or
/// f32. Sums are f32, in the order of the depth.
void plain_product(const CudaDevice& device, const Factor& a, const Factor& b, int64_t depth,
                   bool add, InOut c);

/// y [R,C] += bias [C] in each row; both of one dtype.
void add_to_rows(const CudaDevice& device, const Tensor& bias, InOut y);

}  // namespace bertha::cuda
