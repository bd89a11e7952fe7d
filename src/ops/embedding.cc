#include "ops/embedding.h"

#include "core/error.h"
#include "core/profile.h"
#include "ops/cpu/embedding_cpu.h"
#include "ops/cpu/layer_norm_cpu.h"
#include "ops/cuda/embedding_cuda.h"
#include "ops/cuda/layer_norm_cuda.h"
#include "ops/cuda/partials_cuda.h"
#include "ops/device_of.h"
#include "ops/operand_checks.h"

namespace bertha::ops {
namespace {

void check_table(const Tensor& table, int64_t columns, const char* what) {
  BERTHA_CHECK(table.dtype() == DType::kF32 && table.shape().rank() == 2 && table.dim(1) == columns,
               "{} table is {} {}", what, name_of(table.dtype()), table.shape().to_string());
}

/// What both passes take; `rows` is z in the one, d in the other.
void check(const EmbeddingIds& ids, const EmbeddingTables& tables, const Tensor& gamma,
           const Tensor& beta, const Tensor& z, const Tensor& rows, const Tensor& mean,
           const Tensor& rstd) {
  check_normalised(z, gamma, mean, rstd);
  BERTHA_CHECK(rows.dtype() == z.dtype() && rows.shape() == z.shape(), "y or d is {} {}",
               name_of(rows.dtype()), rows.shape().to_string());
  check_vector(ids.word, DType::kI32, z.dim(0), "word ids");
  check_vector(ids.position, DType::kI32, z.dim(0), "positions");
  check_vector(ids.segment, DType::kI32, z.dim(0), "segments");
  check_table(tables.word, z.dim(1), "word");
  check_table(tables.position, z.dim(1), "position");
  check_table(tables.segment, z.dim(1), "segment");
  check_vector(beta, DType::kF32, z.dim(1), "beta");
}

}  // namespace

void embedding(Context& context, const EmbeddingIds& ids, const EmbeddingTables& tables,
               const Tensor& gamma, const Tensor& beta, float eps, const Dropout& dropout, Out z,
               Out y, Out mean, Out rstd) {
  check(ids, tables, gamma, beta, z.tensor(), y.tensor(), mean.tensor(), rstd.tensor());
  if (context.dry()) return;
  if (on_cuda(context)) {
    return embedding_cuda(cuda_of(context), ids, tables, gamma, beta, eps, dropout, z, y, mean,
                          rstd);
  }
  const Timed timed(context.device(), "embedding", [&] {
    return Cost{.bytes = bytes_of(z.tensor(), y.tensor()) + 3 * z.tensor().size() * 4};
  });
  embedding_cpu(ids, tables, gamma, beta, eps, dropout, z, y, mean, rstd);
}

void embedding_backward(Context& context, const EmbeddingIds& ids, const Tensor& z,
                        const Tensor& mean, const Tensor& rstd, const Tensor& gamma,
                        const Dropout& dropout, InOut d, const EmbeddingTables& d_tables,
                        InOut d_gamma, InOut d_beta) {
  check(ids, d_tables, gamma, d_beta.tensor(), z, d.tensor(), mean, rstd);
  check_vector(d_gamma.tensor(), DType::kF32, z.dim(1), "d_gamma");
  const Context::Scope scope = context.scope();
  const Shape shape = on_cuda(context) ? partials_shape(z.dim(0), 2, z.dim(1))
                                       : gradient_partials(z.dim(0), z.dim(1));
  const Tensor partials = context.make(shape, DType::kF32);
  if (context.dry()) return;
  if (on_cuda(context)) {
    layer_norm_backward_cuda(cuda_of(context), {.z = z,
                                                .mean = mean,
                                                .rstd = rstd,
                                                .gamma = gamma,
                                                .after = dropout,
                                                .before = {},
                                                .d = d,
                                                .d_x = {},
                                                .d_gamma = d_gamma,
                                                .d_beta = d_beta,
                                                .partials = partials});
    return embedding_scatter_cuda(cuda_of(context), ids, d.tensor(), d_tables, partials);
  }
  const Timed timed(context.device(), "embedding, backward", [&] {
    return Cost{.bytes = bytes_of(z, d.tensor(), d.tensor()) + 6 * z.size() * 4};
  });
  layer_norm_backward_cpu({.z = z,
                           .mean = mean,
                           .rstd = rstd,
                           .gamma = gamma,
                           .after = dropout,
                           .before = {},
                           .d = d,
                           .d_x = {},
                           .d_gamma = d_gamma,
                           .d_beta = d_beta,
                           .partials = partials});
  embedding_scatter_cpu(ids, d.tensor(), d_tables);
}

}  // namespace bertha::ops
