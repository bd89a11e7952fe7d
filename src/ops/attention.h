#pragma once

// Self-attention over ragged sequences (Vaswani et al. 2017, section 3.2): every token attends to
// the tokens of its own sequence. No padding, no mask tensor; memory is linear in the length
// (Dao et al. 2022: scores are made block by block and again in the backward pass). T tokens, N
// sequences, A heads of D columns each, H = A * D for any D >= 1.

#include <cstdint>
#include <string_view>

#include "core/context.h"
#include "core/profile.h"
#include "ops/dropout.h"

namespace bertha::ops {

struct AttentionShape {
  int64_t heads = 0;
  /// Longest sequence the model allows; element of a probability in the dropout rule is
  /// (row * heads + head) * max_length + key, row counted in the batch, key in the sequence.
  int64_t max_length = 0;
};

/// y = dropout(softmax(q kᵀ / √D)) v. Statistics are fp32.
struct Attention {
  Tensor qkv;  ///< [T,3H] f32 or bf16: query, key, value side by side, heads side by side in each
  Tensor seq_start;  ///< [N+1] i32, rises from 0 to at most T; rows from seq_start[N] on belong to
                     ///< no sequence and get y = 0
  AttentionShape shape;
  Dropout dropout = {};
  Out y;    ///< [T,H], of qkv's dtype
  Out lse;  ///< [T,A] f32: log Σ exp of the scaled scores, for the backward pass
  /// Where the forward pass keeps which probabilities dropout left, for the backward pass
  /// (make_kept_dropout); absent: the backward pass draws them again.
  Out kept = {};

  static constexpr std::string_view kName = "attention";
  void check() const;
  Cost cost() const;
};
void attention(Context& context, const Attention& op);

/// The value that `op` may keep its dropout in, in the layout of the device's kernels; no tensor
/// where nothing is dropped and on a device that draws again.
Tensor make_kept_dropout(Context& context, const Attention& op);

struct AttentionBackward {
  Tensor qkv;        ///< [T,3H] f32 or bf16
  Tensor seq_start;  ///< [N+1] i32
  AttentionShape shape;
  Dropout dropout = {};
  Tensor y;          ///< [T,H]: the forward pass's
  Tensor lse;        ///< [T,A] f32: the forward pass's
  Tensor d_y;        ///< [T,H]
  Tensor kept = {};  ///< the forward pass's; absent: dropout is drawn again
  Out d_qkv;         ///< [T,3H], 0 in the rows of no sequence

  static constexpr std::string_view kName = "attention, backward";
  void check() const;
  Cost cost() const;
};
void attention_backward(Context& context, const AttentionBackward& op);

}  // namespace bertha::ops
