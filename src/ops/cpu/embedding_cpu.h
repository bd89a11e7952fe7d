#pragma once

#include "ops/embedding.h"

namespace bertha::ops {

void embedding_cpu(const EmbeddingIds& ids, const EmbeddingTables& tables, const Tensor& gamma,
                   const Tensor& beta, float eps, const Dropout& dropout, Out z, Out y, Out mean,
                   Out rstd);

/// Adds row t of d [T,H] to the three rows that token t names.
void embedding_scatter_cpu(const EmbeddingIds& ids, const Tensor& d,
                           const EmbeddingTables& d_tables);

}  // namespace bertha::ops
