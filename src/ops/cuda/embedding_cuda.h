#pragma once

#include "backend/cuda/cuda_device.h"
#include "ops/embedding.h"

namespace bertha::ops {

void embedding_cuda(cuda::CudaDevice& device, const EmbeddingIds& ids,
                    const EmbeddingTables& tables, const Tensor& gamma, const Tensor& beta,
                    float eps, const Dropout& dropout, Out z, Out y, Out mean, Out rstd);

/// Adds row t of d [T,H] to the three rows that token t names. `partials` is scratch f32
/// [partial_blocks, 2, H].
void embedding_scatter_cuda(cuda::CudaDevice& device, const EmbeddingIds& ids, const Tensor& d,
                            const EmbeddingTables& d_tables, const Tensor& partials);

}  // namespace bertha::ops
