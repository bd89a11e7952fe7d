#pragma once

#include "backend/cpu/cpu_device.h"
#include "ops/attention.h"

namespace bertha::ops {

/// The operations of attention.h on host memory, with the kernels of `isa` (at most best_isa()).
void attention_cpu(const Tensor& qkv, const Tensor& seq_start, const AttentionShape& shape,
                   const Dropout& dropout, Out y, Out lse, cpu::Isa isa = cpu::best_isa());
void attention_backward_cpu(const Tensor& qkv, const Tensor& seq_start, const AttentionShape& shape,
                            const Dropout& dropout, const Tensor& y, const Tensor& lse,
                            const Tensor& d_y, Out d_qkv, cpu::Isa isa = cpu::best_isa());

/// Σ length² over the sequences.
int64_t token_pairs_cpu(const Tensor& seq_start);

}  // namespace bertha::ops
