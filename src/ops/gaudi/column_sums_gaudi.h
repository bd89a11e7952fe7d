#pragma once

// Sums over the rows of a matrix, and sums of rows into the rows of a table: the gradients of
// biases, of LayerNorm's parameters and of tables.

#include "ops/gaudi/kernel_candidates.h"
#include "ops/gaudi/node_builder.h"

namespace bertha::ops {

/// x {N,T} of f32 or bf16: Σ over T in f32, extents {N}.
Value column_sums(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& x);

/// rows {H,T} f32 added into `count` rows that are 0 first, each where ids i32 {T} says: {H,count}.
Value scatter_sums(const NodeBuilder& nodes, KernelCandidates& candidates, const Value& rows,
                   const Value& ids, int64_t count);

}  // namespace bertha::ops
