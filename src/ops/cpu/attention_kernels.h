#pragma once

// The attention kernels of the CPU: one function works on one head of one sequence, on one thread.
// Included by files built for single instruction sets; declarations alone.

#include <cstddef>
#include <cstdint>

#include "ops/cpu/dropout_kernels.h"

namespace bertha::ops {

/// What all items of a call share. Elements are float or the bits of bf16, as the kernel says.
struct AttentionCall {
  const void* qkv = nullptr;  ///< [T,3H]
  int64_t heads = 0;
  int64_t head_size = 0;
  int64_t max_length = 0;
  DropoutStream dropout;      ///< inactive when nothing is dropped
  float dropout_scale = 1;    ///< of kept elements
  void* y = nullptr;          ///< [T,H], read in the backward pass
  float* lse = nullptr;       ///< [T,heads], read in the backward pass
  const void* d_y = nullptr;  ///< [T,H]
  void* d_qkv = nullptr;      ///< [T,3H]
};

/// One head of the sequence in rows [row, row + length). The forward pass makes the queries
/// [query_begin, query_end) of it, the backward pass all.
struct AttentionItem {
  int64_t row = 0;
  int64_t length = 0;
  int64_t head = 0;
  int64_t query_begin = 0;
  int64_t query_end = 0;
};

struct AttentionKernels {
  /// Bytes of scratch, aligned to 64, that an item of this length needs.
  int64_t (*forward_scratch_bytes)(int64_t length, int64_t head_size);
  void (*forward)(const AttentionCall& call, const AttentionItem& item, std::byte* scratch);
  int64_t (*backward_scratch_bytes)(int64_t length, int64_t head_size);
  void (*backward)(const AttentionCall& call, const AttentionItem& item, std::byte* scratch);
};

/// Products in fp32 whatever the elements are.
extern const AttentionKernels kAttentionAvx2F32;
extern const AttentionKernels kAttentionAvx2Bf16;
extern const AttentionKernels kAttentionAvx512F32;
extern const AttentionKernels kAttentionAvx512Bf16;

/// bf16 products, fp32 sums; probabilities and their gradients are rounded to bf16.
extern const AttentionKernels kAttentionAvx512Bf16Products;
extern const AttentionKernels kAttentionAmxBf16;

}  // namespace bertha::ops
