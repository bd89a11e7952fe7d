#include "ops/attention.h"

#include "ops/attention_cpu.h"

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

}  // namespace

void attention(Context& context, const Tensor& qkv, const Tensor& seq_start,
               const AttentionShape& shape, const Dropout& dropout, Out y, Out lse) {
  check_operands(qkv, seq_start, shape, dropout, y.tensor(), lse.tensor());
  if (context.dry()) return;
  switch (context.device().kind()) {
    case DeviceKind::kCpu:
      return attention_cpu(qkv, seq_start, shape, dropout, y, lse);
    case DeviceKind::kCuda:
      break;
  }
  fail("attention has no kernel on {}", context.device().description());
}

void attention_backward(Context& context, const Tensor& qkv, const Tensor& seq_start,
                        const AttentionShape& shape, const Dropout& dropout, const Tensor& y,
                        const Tensor& lse, const Tensor& d_y, Out d_qkv) {
  check_operands(qkv, seq_start, shape, dropout, y, lse);
  BERTHA_CHECK(d_y.dtype() == y.dtype() && d_y.shape() == y.shape(), "d_y {}",
               d_y.shape().to_string());
  BERTHA_CHECK(d_qkv.tensor().dtype() == qkv.dtype() && d_qkv.tensor().shape() == qkv.shape(),
               "d_qkv {}", d_qkv.tensor().shape().to_string());
  if (context.dry()) return;
  switch (context.device().kind()) {
    case DeviceKind::kCpu:
      return attention_backward_cpu(qkv, seq_start, shape, dropout, y, lse, d_y, d_qkv);
    case DeviceKind::kCuda:
      break;
  }
  fail("attention has no kernel on {}", context.device().description());
}

}  // namespace bertha::ops
