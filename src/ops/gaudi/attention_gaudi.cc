// Scores of each row as one matrix for each head: {S,S,A,R}, keys fastest. They are f32; the
// products take operands of the activations' type. The backward pass makes the probabilities again
// from queries and keys, which takes less memory than to keep them.

#include <array>
#include <cmath>
#include <cstring>

#include "core/parallel_for.h"
#include "ops/gaudi/dropout_gaudi.h"
#include "ops/gaudi/gaudi_kernels.h"
#include "ops/gaudi/row_operands.h"

namespace bertha::ops {
namespace {

/// The operands of one attention.
class RowAttention {
 public:
  RowAttention(const NodeBuilder& nodes, const Tensor& qkv, const Tensor& seq_start,
               const AttentionShape& shape, const Dropout& dropout, MaskSource masks)
      : nodes_(nodes),
        rows_(nodes, seq_start, qkv.dim(0)),
        seq_start_(seq_start),
        shape_(shape),
        dropout_(dropout),
        masks_(masks),
        hidden_(qkv.dim(1) / 3),
        type_(gaudi::layout_of(qkv.dtype()).type) {
    const Value slots = rows_.to_slots(nodes.read(qkv));
    const RowShape& r = rows_.shape();
    const Value parts = nodes.reshape(slots, {head_size(), 3 * shape.heads, r.length, r.rows});
    query_ = part(parts, 0);
    key_ = part(parts, 1);
    value_ = part(parts, 2);
  }

  const RowOperands& rows() const { return rows_; }
  const Value& query() const { return query_; }
  const Value& key() const { return key_; }
  const Value& value() const { return value_; }
  ElementType type() const { return type_; }

  /// q kᵀ / √D, masked, {S,S,A,R}.
  Value scores() const {
    const Value products = nodes_.batch_gemm(query_, key_, {.b = true}, ElementType::kF32);
    return nodes_.add(nodes_.mult(products, root()), rows_.score_mask());
  }
  /// 1 / √D.
  Value root() const {
    return nodes_.constant(static_cast<float>(1 / std::sqrt(static_cast<double>(head_size()))));
  }
  /// Probabilities or their gradients after dropout; f32.
  Value dropped(const Value& x) const {
    return dropout_.active() ? drop(nodes_, masks_, dropout_, x, host_mask()) : x;
  }
  /// x {D,S,A,R} by tokens: {H,T}.
  Value to_tokens(const Value& x) const {
    const Value by_slot = nodes_.transpose(x, {0, 2, 1, 3});
    return rows_.to_tokens(nodes_.reshape(by_slot, {hidden_, rows_.shape().slots()}));
  }
  /// x {H,T} by rows and heads, {D,S,A,R}, with 0 where there is no token.
  Value to_rows(const Value& x) const {
    const RowShape& r = rows_.shape();
    const Value slots =
        nodes_.reshape(rows_.to_slots_or_zero(x), {head_size(), shape_.heads, r.length, r.rows});
    return nodes_.transpose(slots, {0, 2, 1, 3});
  }
  /// d_q, d_k and d_v {D,S,A,R} side by side by tokens: {3H,T}.
  Value joined(const Value& d_q, const Value& d_k, const Value& d_v) const {
    const auto by_slot = [&](const Value& x) { return nodes_.transpose(x, {0, 2, 1, 3}); };
    const Value parts = nodes_.concat({by_slot(d_q), by_slot(d_k), by_slot(d_v)}, 1);
    return rows_.to_tokens(nodes_.reshape(parts, {3 * hidden_, rows_.shape().slots()}));
  }

 private:
  int64_t head_size() const { return hidden_ / shape_.heads; }

  Value part(const Value& parts, int64_t number) const {
    const Value of_heads =
        nodes_.slice(parts, 1, number * shape_.heads, (number + 1) * shape_.heads);
    return nodes_.transpose(of_heads, {0, 2, 1, 3});
  }

  /// Of {S,S,A,R}: 1 where dropout keeps the probability of a key.
  HostMask host_mask() const {
    const RowShape& r = rows_.shape();
    const auto fill = [dropout = dropout_, shape = shape_](gaudi::HostBytes bytes,
                                                           std::span<std::byte> mask) {
      std::array<int64_t, 2> seed_and_draw{};
      std::memcpy(seed_and_draw.data(), bytes.data(), sizeof(seed_and_draw));
      draw_attention_mask(dropout, shape, seed_and_draw,
                          integers_of(bytes.subspan(sizeof(seed_and_draw))), mask);
    };
    const Sizes sizes = {r.length, r.length, shape_.heads, r.rows};
    return {.name = mask_name(dropout_, sizes) + " of " + rows_.name(),
            .sources = {dropout_.seed, seq_start_},
            .fill = fill};
  }

  static void draw_attention_mask(const Dropout& dropout, const AttentionShape& shape,
                                  std::span<const int64_t> seed_and_draw,
                                  const std::vector<int32_t>& seq_start,
                                  std::span<std::byte> mask) {
    const TokenRows rows = pack_rows(seq_start);
    const int64_t length = rows.shape.length;
    parallel_items(std::ssize(rows.first_slot), [&](int64_t i) {
      const auto s = static_cast<size_t>(i);
      const int64_t tokens = seq_start[s + 1] - seq_start[s];
      const int64_t row = rows.first_slot[s] / length;
      const int64_t begin = rows.first_slot[s] % length;
      for (int64_t at = 0; at < tokens; ++at) {
        for (int64_t head = 0; head < shape.heads; ++head) {
          const int64_t query = (row * shape.heads + head) * length + begin + at;
          const int64_t element = ((seq_start[s] + at) * shape.heads + head) * shape.max_length;
          draw_mask(dropout, seed_and_draw, element,
                    mask.subspan(static_cast<size_t>(query * length + begin),
                                 static_cast<size_t>(tokens)));
        }
      }
    });
  }

  const NodeBuilder& nodes_;
  RowOperands rows_;
  Tensor seq_start_;
  AttentionShape shape_;
  Dropout dropout_;
  MaskSource masks_;
  int64_t hidden_;
  ElementType type_;
  Value query_, key_, value_;
};

/// log Σ exp of the scores, {A,T}. All differences between a score and its log softmax are that, so
/// their mean with the probabilities as weights is, too.
Value log_sums(const NodeBuilder& nodes, const RowAttention& attention, const Value& scores,
               const Value& probabilities) {
  const Value differences = nodes.sub(scores, nodes.log_softmax(scores, 0));
  const Value sums = nodes.reduce_sum(nodes.mult(probabilities, differences), 0);  // {1,S,A,R}
  const RowShape& r = attention.rows().shape();
  const Value by_slot = nodes.transpose(sums, {0, 2, 1, 3});  // {1,A,S,R}
  return attention.rows().to_tokens(nodes.reshape(by_slot, {by_slot.sizes[1], r.slots()}));
}

}  // namespace

void GaudiKernels::run(const Attention& op) {
  record(op, [&](const NodeBuilder& nodes) {
    const RowAttention of(nodes, op.qkv, op.seq_start, op.shape, op.dropout, masks_);
    const Value scores = of.scores();
    const Value probabilities = nodes.softmax(scores, 0);
    const Value weights = nodes.cast(of.dropped(probabilities), of.type());
    nodes.write(op.y.tensor(), of.to_tokens(nodes.batch_gemm(weights, of.value(), {}, of.type())));
    nodes.write(op.lse.tensor(), log_sums(nodes, of, scores, probabilities));
  });
}

void GaudiKernels::run(const AttentionBackward& op, const Scratch& /*scratch*/) {
  record(op, [&](const NodeBuilder& nodes) {
    const RowAttention of(nodes, op.qkv, op.seq_start, op.shape, op.dropout, masks_);
    const Value probabilities = nodes.softmax(of.scores(), 0);
    const Value weights = nodes.cast(of.dropped(probabilities), of.type());
    const Value d_y = of.to_rows(nodes.read(op.d_y));
    const Value d_v = nodes.batch_gemm(weights, d_y, {.a = true}, of.type());
    const Value d_weights = nodes.batch_gemm(d_y, of.value(), {.b = true}, ElementType::kF32);
    const Value d_scores = nodes.softmax_backward(probabilities, of.dropped(d_weights), 0);
    const Value d_products = nodes.cast(nodes.mult(d_scores, of.root()), of.type());
    const Value d_q = nodes.batch_gemm(d_products, of.key(), {}, of.type());
    const Value d_k = nodes.batch_gemm(d_products, of.query(), {.a = true}, of.type());
    nodes.write(op.d_qkv.tensor(), of.joined(d_q, d_k, d_v));
  });
}

}  // namespace bertha::ops
