#pragma once

// The sum of word, position and token type embeddings, LayerNorm, dropout: BERT's first layer. T
// tokens, H columns, V words, P positions.

#include <string_view>

#include "core/context.h"
#include "core/profile.h"
#include "ops/dropout.h"

namespace bertha::ops {

/// Which rows of the tables a token sums; [T] i32 each. An id outside its table is the caller's
/// defect: batches are checked where they are made.
struct EmbeddingIds {
  Tensor word;
  Tensor position;
  Tensor segment;
};

/// The three tables, f32.
struct EmbeddingTables {
  Tensor word;      ///< [V,H]
  Tensor position;  ///< [P,H]
  Tensor segment;   ///< [2,H]
};

/// Their gradients, of the same shapes.
struct EmbeddingTableGradients {
  InOut word;
  InOut position;
  InOut segment;
};

/// z = word[id] + position[p] + segment[s]; y = dropout(LayerNorm(z)).
struct Embedding {
  EmbeddingIds ids;
  EmbeddingTables tables;
  Tensor gamma;  ///< [H] f32
  Tensor beta;   ///< [H] f32
  float eps;
  Dropout dropout = {};
  Out z;     ///< [T,H] f32 or bf16, kept for the backward pass
  Out y;     ///< [T,H], of z's dtype
  Out mean;  ///< [T] f32
  Out rstd;  ///< [T] f32

  static constexpr std::string_view kName = "embedding";
  void check() const;
  Cost cost() const;
};
void embedding(Context& context, const Embedding& op);

/// Every row adds to the gradients of the tables, in an order that does not depend on timing. Rows
/// of no sequence carry a gradient of 0 and so add nothing.
struct EmbeddingBackward {
  EmbeddingIds ids;
  Tensor z;      ///< [T,H]
  Tensor mean;   ///< [T] f32
  Tensor rstd;   ///< [T] f32
  Tensor gamma;  ///< [H] f32
  Dropout dropout = {};
  InOut d;                           ///< [T,H], of z's dtype: the gradient of y on entry; used up
  EmbeddingTableGradients d_tables;  ///< added to
  InOut d_gamma;                     ///< [H] f32, added to
  InOut d_beta;                      ///< [H] f32, added to

  static constexpr std::string_view kName = "embedding, backward";
  void check() const;
  Cost cost() const;
};
void embedding_backward(Context& context, const EmbeddingBackward& op);

}  // namespace bertha::ops
