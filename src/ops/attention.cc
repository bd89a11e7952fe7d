#include "ops/attention.h"

#include "core/profile.h"
#include "ops/cpu/attention_cpu.h"
#include "ops/cuda/attention_cuda.h"
#include "ops/device_of.h"

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

/// `products` matrix products over the pairs of tokens of every sequence.
Cost cost_of(const Tensor& qkv, const Tensor& seq_start, int64_t products, int64_t bytes) {
  return {.flops = products * 2 * token_pairs_cpu(seq_start) * (qkv.dim(1) / 3), .bytes = bytes};
}

}  // namespace

void attention(Context& context, const Tensor& qkv, const Tensor& seq_start,
               const AttentionShape& shape, const Dropout& dropout, Out y, Out lse) {
  check_operands(qkv, seq_start, shape, dropout, y.tensor(), lse.tensor());
  if (context.dry()) return;
  if (on_cuda(context)) {
    return attention_cuda(cuda_of(context), qkv, seq_start, shape, dropout, y, lse);
  }
  const Timed timed(context.device(), "attention", [&] {
    return cost_of(qkv, seq_start, 2, bytes_of(qkv, y.tensor(), lse.tensor()));
  });
  attention_cpu(qkv, seq_start, shape, dropout, y, lse);
}

void attention_backward(Context& context, const Tensor& qkv, const Tensor& seq_start,
                        const AttentionShape& shape, const Dropout& dropout, const Tensor& y,
                        const Tensor& lse, const Tensor& d_y, Out d_qkv) {
  check_operands(qkv, seq_start, shape, dropout, y, lse);
  BERTHA_CHECK(d_y.dtype() == y.dtype() && d_y.shape() == y.shape(), "d_y {}",
               d_y.shape().to_string());
  BERTHA_CHECK(d_qkv.tensor().dtype() == qkv.dtype() && d_qkv.tensor().shape() == qkv.shape(),
               "d_qkv {}", d_qkv.tensor().shape().to_string());
  const Context::Scope scope = context.scope();
  const Tensor delta = on_cuda(context) ? context.make(lse.shape(), DType::kF32) : Tensor();
  if (context.dry()) return;
  if (on_cuda(context)) {
    return attention_backward_cuda(cuda_of(context), qkv, seq_start, shape, dropout, y, lse, d_y,
                                   d_qkv, delta);
  }
  const Timed timed(context.device(), "attention, backward", [&] {
    return cost_of(qkv, seq_start, 5, bytes_of(qkv, y, lse, d_y, d_qkv.tensor()));
  });
  attention_backward_cpu(qkv, seq_start, shape, dropout, y, lse, d_y, d_qkv);
}

}  // namespace bertha::ops
