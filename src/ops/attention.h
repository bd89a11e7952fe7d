#pragma once

// Self-attention over ragged sequences (Vaswani et al. 2017, section 3.2): every token attends to
// the tokens of its own sequence. No padding, no mask tensor; memory is linear in the length
// (Dao et al. 2022: scores are made block by block and again in the backward pass).

#include <cstdint>

#include "core/context.h"
#include "ops/dropout.h"

namespace bertha::ops {

struct AttentionShape {
  int64_t heads = 0;
  /// Longest sequence the model allows; element of a probability in the dropout rule is
  /// (row * heads + head) * max_length + key, row counted in the batch, key in the sequence.
  int64_t max_length = 0;
};

/// qkv [T,3H] holds query, key, value side by side, heads side by side in each, H = heads * D for
/// any D >= 1. seq_start i32 [N+1] rises from 0 to at most T; rows from seq_start[N] on belong to
/// no sequence and get y = 0. y [T,H] = dropout(softmax(q kᵀ / √D)) v. lse f32 [T,heads] receives
/// log Σ exp of the scaled scores, for the backward pass. f32 or bf16; statistics are fp32.
void attention(Context& context, const Tensor& qkv, const Tensor& seq_start,
               const AttentionShape& shape, const Dropout& dropout, Out y, Out lse);

/// d_qkv [T,3H] is set, to 0 in the rows of no sequence. y and lse are the forward pass's.
void attention_backward(Context& context, const Tensor& qkv, const Tensor& seq_start,
                        const AttentionShape& shape, const Dropout& dropout, const Tensor& y,
                        const Tensor& lse, const Tensor& d_y, Out d_qkv);

}  // namespace bertha::ops
