#pragma once

// Checks of operands that several ops share, for the x.cc files.

#include "core/error.h"
#include "core/tensor.h"
#include "ops/layer_norm.h"

namespace bertha::ops {

inline void check_vector(const Tensor& vector, DType dtype, int64_t size, const char* what) {
  BERTHA_CHECK(vector.dtype() == dtype && vector.size() == size, "{} is {} {}, not {} [{}]", what,
               name_of(vector.dtype()), vector.shape().to_string(), name_of(dtype), size);
}

/// Rows z [T,H] that are normalised, gamma [H], mean and rstd [T].
inline void check_normalised(const Tensor& z, const Tensor& gamma, const Tensor& mean,
                             const Tensor& rstd) {
  BERTHA_CHECK(z.shape().rank() == 2 && z.dim(1) >= 1 && z.dim(1) <= kMaxColumns, "z {}",
               z.shape().to_string());
  BERTHA_CHECK(z.dtype() == DType::kF32 || z.dtype() == DType::kBF16, "z is {}",
               name_of(z.dtype()));
  check_vector(gamma, DType::kF32, z.dim(1), "gamma");
  check_vector(mean, DType::kF32, z.dim(0), "mean");
  check_vector(rstd, DType::kF32, z.dim(0), "rstd");
}

/// The gradient's scale, f32 [1] or absent, and a loss's results, f32 [2].
inline void check_loss(const Tensor& scale, const Tensor& result) {
  if (!scale.empty()) check_vector(scale, DType::kF32, 1, "scale");
  check_vector(result, DType::kF32, 2, "result");
}

}  // namespace bertha::ops
