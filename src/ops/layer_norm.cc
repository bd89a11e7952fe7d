#include "ops/layer_norm.h"

#include "core/error.h"
#include "core/profile.h"
#include "ops/cpu/layer_norm_cpu.h"
#include "ops/cuda/layer_norm_cuda.h"
#include "ops/cuda/partials_cuda.h"
#include "ops/device_of.h"
#include "ops/operand_checks.h"

namespace bertha::ops {
namespace {

void check_rows(const Tensor& rows, const Tensor& like, const char* what) {
  BERTHA_CHECK(rows.dtype() == like.dtype() && rows.shape() == like.shape(), "{} is {} {}", what,
               name_of(rows.dtype()), rows.shape().to_string());
}

}  // namespace

void layer_norm(Context& context, InOut z, const Tensor& residual, const Tensor& gamma,
                const Tensor& beta, float eps, const Dropout& dropout, Out y, Out mean, Out rstd) {
  check_normalised(z.tensor(), gamma, mean.tensor(), rstd.tensor());
  check_vector(beta, DType::kF32, z.tensor().dim(1), "beta");
  check_rows(y.tensor(), z.tensor(), "y");
  if (!residual.empty()) check_rows(residual, z.tensor(), "residual");
  if (context.dry()) return;
  if (on_cuda(context)) {
    return layer_norm_cuda(cuda_of(context), z, residual, gamma, beta, eps, dropout, y, mean, rstd);
  }
  const Timed timed(context.device(), "layer norm", [&] {
    const int64_t changed = residual.empty() && !dropout.active() ? 0 : z.tensor().size_bytes();
    return Cost{.bytes = changed + bytes_of(z.tensor(), residual, y.tensor())};
  });
  layer_norm_cpu(z, residual, gamma, beta, eps, dropout, y, mean, rstd);
}

void layer_norm_backward(Context& context, const Tensor& z, const Tensor& mean, const Tensor& rstd,
                         const Tensor& gamma, const Dropout& dropout, InOut d, Out d_x,
                         InOut d_gamma, InOut d_beta) {
  check_normalised(z, gamma, mean, rstd);
  check_rows(d.tensor(), z, "d");
  BERTHA_CHECK(d_x.empty() != dropout.active(), "d_x goes with dropout");
  if (!d_x.empty()) check_rows(d_x.tensor(), z, "d_x");
  check_vector(d_gamma.tensor(), DType::kF32, z.dim(1), "d_gamma");
  check_vector(d_beta.tensor(), DType::kF32, z.dim(1), "d_beta");
  const Context::Scope scope = context.scope();
  const Shape shape = on_cuda(context) ? partials_shape(z.dim(0), 2, z.dim(1))
                                       : gradient_partials(z.dim(0), z.dim(1));
  const Tensor partials = context.make(shape, DType::kF32);
  if (context.dry()) return;
  if (on_cuda(context)) {
    return layer_norm_backward_cuda(cuda_of(context), {.z = z,
                                                       .mean = mean,
                                                       .rstd = rstd,
                                                       .gamma = gamma,
                                                       .after = {},
                                                       .before = dropout,
                                                       .d = d,
                                                       .d_x = d_x,
                                                       .d_gamma = d_gamma,
                                                       .d_beta = d_beta,
                                                       .partials = partials});
  }
  const Timed timed(context.device(), "layer norm, backward", [&] {
    return Cost{.bytes = bytes_of(z, d.tensor(), d.tensor(), d_x.tensor())};
  });
  layer_norm_backward_cpu({.z = z,
                           .mean = mean,
                           .rstd = rstd,
                           .gamma = gamma,
                           .after = {},
                           .before = dropout,
                           .d = d,
                           .d_x = d_x,
                           .d_gamma = d_gamma,
                           .d_beta = d_beta,
                           .partials = partials});
}

}  // namespace bertha::ops
