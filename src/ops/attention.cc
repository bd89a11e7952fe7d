#include "ops/attention.h"

#include <vector>

#include "core/error.h"
#include "ops/dispatch.h"

namespace bertha::ops {
namespace {

void check_operands(const Tensor& qkv, const Tensor& seq_start, const AttentionShape& shape,
                    const Dropout& dropout, const Tensor& y, const Tensor& lse) {
  BERTHA_CHECK(shape.heads > 0 && shape.max_length > 0, "heads {}, max_length {}", shape.heads,
               shape.max_length);
  BERTHA_CHECK(qkv.dtype() == DType::kF32 || qkv.dtype() == DType::kBF16, "qkv is {}",
               name_of(qkv.dtype()));
  BERTHA_CHECK(qkv.shape().rank() == 2 && qkv.dim(1) > 0 && qkv.dim(1) % (3 * shape.heads) == 0,
               "qkv {} with {} heads", qkv.shape().to_string(), shape.heads);
  BERTHA_CHECK(y.dtype() == qkv.dtype() && y.shape() == Shape({qkv.dim(0), qkv.dim(1) / 3}),
               "y {} {} for qkv {}", name_of(y.dtype()), y.shape().to_string(),
               qkv.shape().to_string());
  BERTHA_CHECK(lse.dtype() == DType::kF32 && lse.shape() == Shape({qkv.dim(0), shape.heads}),
               "lse {}", lse.shape().to_string());
  BERTHA_CHECK(
      seq_start.dtype() == DType::kI32 && seq_start.shape().rank() == 1 && seq_start.dim(0) >= 1,
      "seq_start {}", seq_start.shape().to_string());
  BERTHA_CHECK(!dropout.active() || dropout.seed.size() == 2, "dropout without a seed");
}

/// Σ length² over the sequences. Where the lengths are not in host memory, reading them would wait
/// for the device's queue: the sequences then count as equally long.
int64_t token_pairs(const Tensor& seq_start, int64_t tokens) {
  const int64_t sequences = seq_start.dim(0) - 1;
  Device& device = *seq_start.buffer()->device();
  if (device.memory() != Memory::kHost) {
    return sequences == 0 ? 0 : tokens * (tokens / sequences);
  }
  std::vector<int32_t> start(static_cast<size_t>(sequences + 1));
  device.read(seq_start, start.data());
  int64_t pairs = 0;
  for (size_t i = 1; i < start.size(); ++i) {
    const int64_t length = int64_t{start[i]} - start[i - 1];
    pairs += length * length;
  }
  return pairs;
}

/// `products` matrix products over the pairs of tokens of every sequence.
Cost cost_of(const Tensor& qkv, const Tensor& seq_start, int64_t products, int64_t bytes) {
  return {.flops = products * 2 * token_pairs(seq_start, qkv.dim(0)) * (qkv.dim(1) / 3),
          .bytes = bytes};
}

}  // namespace

void Attention::check() const {
  check_operands(qkv, seq_start, shape, dropout, y.tensor(), lse.tensor());
}

Cost Attention::cost() const {
  return cost_of(qkv, seq_start, 2, bytes_of(qkv, y.tensor(), lse.tensor()));
}

void attention(Context& context, const Attention& op) {
  dispatch(context, op);
}

Tensor make_kept_dropout(Context& context, const Attention& op) {
  if (!op.dropout.active()) return {};
  return make_scratch(context, kernels_of(context.device()).kept_dropout(op));
}

void AttentionBackward::check() const {
  check_operands(qkv, seq_start, shape, dropout, y, lse);
  BERTHA_CHECK(d_y.dtype() == y.dtype() && d_y.shape() == y.shape(), "d_y {}",
               d_y.shape().to_string());
  BERTHA_CHECK(d_qkv.tensor().dtype() == qkv.dtype() && d_qkv.tensor().shape() == qkv.shape(),
               "d_qkv {}", d_qkv.tensor().shape().to_string());
}

Cost AttentionBackward::cost() const {
  return cost_of(qkv, seq_start, 5, bytes_of(qkv, y, lse, d_y, d_qkv.tensor()));
}

void attention_backward(Context& context, const AttentionBackward& op) {
  dispatch(context, op);
}

}  // namespace bertha::ops
