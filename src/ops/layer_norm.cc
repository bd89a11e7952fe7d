#include "ops/layer_norm.h"

#include "core/error.h"
#include "ops/dispatch.h"
#include "ops/operand_checks.h"

namespace bertha::ops {
namespace {

void check_rows(const Tensor& rows, const Tensor& like, const char* what) {
  BERTHA_CHECK(rows.dtype() == like.dtype() && rows.shape() == like.shape(), "{} is {} {}", what,
               name_of(rows.dtype()), rows.shape().to_string());
}

}  // namespace

void LayerNorm::check() const {
  check_normalised(z.tensor(), gamma, mean.tensor(), rstd.tensor());
  check_vector(beta, DType::kF32, z.tensor().dim(1), "beta");
  check_rows(y.tensor(), z.tensor(), "y");
  if (!residual.empty()) check_rows(residual, z.tensor(), "residual");
}

Cost LayerNorm::cost() const {
  const int64_t changed = residual.empty() && !dropout.active() ? 0 : z.tensor().size_bytes();
  return {.bytes = changed + bytes_of(z.tensor(), residual, y.tensor())};
}

void layer_norm(Context& context, const LayerNorm& op) {
  dispatch(context, op);
}

void LayerNormBackward::check() const {
  check_normalised(z, gamma, mean, rstd);
  check_rows(d.tensor(), z, "d");
  BERTHA_CHECK(d_x.empty() != dropout.active(), "d_x goes with dropout");
  if (!d_x.empty()) check_rows(d_x.tensor(), z, "d_x");
  check_vector(d_gamma.tensor(), DType::kF32, z.dim(1), "d_gamma");
  check_vector(d_beta.tensor(), DType::kF32, z.dim(1), "d_beta");
}

Cost LayerNormBackward::cost() const {
  return {.bytes = bytes_of(z, d.tensor(), d.tensor(), d_x.tensor())};
}

void layer_norm_backward(Context& context, const LayerNormBackward& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
