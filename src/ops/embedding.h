#pragma once

// The sum of word, position and token type embeddings, LayerNorm, dropout: BERT's first layer.

#include "core/context.h"
#include "ops/dropout.h"

namespace bertha::ops {

/// Which rows of the tables a token sums; i32 [T] each. An id outside its table is the caller's
/// defect: batches are checked where they are made.
struct EmbeddingIds {
  Tensor word;
  Tensor position;
  Tensor segment;
};

/// The three tables, f32 [V,H], [P,H], [2,H], or their gradients.
struct EmbeddingTables {
  Tensor word;
  Tensor position;
  Tensor segment;
};

/// z [T,H] = word[id] + position[p] + segment[s] (kept for the backward pass);
/// y = dropout(LayerNorm(z)). z and y f32 or bf16, mean and rstd f32 [T].
void embedding(Context& context, const EmbeddingIds& ids, const EmbeddingTables& tables,
               const Tensor& gamma, const Tensor& beta, float eps, const Dropout& dropout, Out z,
               Out y, Out mean, Out rstd);

/// d [T,H] enters as the gradient of y and is used up. Every row adds to the table gradients (f32),
/// in an order that does not depend on timing; rows of no sequence carry a gradient of 0 and so add
/// nothing. d_gamma, d_beta f32 [H] are added to.
void embedding_backward(Context& context, const EmbeddingIds& ids, const Tensor& z,
                        const Tensor& mean, const Tensor& rstd, const Tensor& gamma,
                        const Dropout& dropout, InOut d, const EmbeddingTables& d_tables,
                        InOut d_gamma, InOut d_beta);

}  // namespace bertha::ops
