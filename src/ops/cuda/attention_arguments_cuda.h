#pragma once

// What the attention kernels take, and the two sets of them: tensor cores (bf16, head size 64) and
// any other. For .cu files.

#include <cstdint>

#include "backend/cuda/kernel_launch.h"
#include "ops/cuda/attention_tiles.h"
#include "ops/cuda/dropout_cuda.h"

namespace bertha::ops {

/// E is float or BFloat16. The backward pass reads y and lse; the forward pass writes them.
template <typename E>
struct AttentionArguments {
  const E* qkv;              ///< [T,3H]
  const int32_t* seq_start;  ///< [N+1]
  DropoutArguments dropout;
  E* y;            ///< [T,H]
  float* lse;      ///< [T,heads]
  const E* d_y;    ///< [T,H]
  float* delta;    ///< [T,heads]: Σ d_y y of a head
  E* d_qkv;        ///< [T,3H]
  uint32_t* kept;  ///< dropout's words [slot, head, tile of keys, tile]; null: drawn again
  float scale;     ///< 1 / √D
  int tokens;      ///< T
  int sequences;   ///< N
  int heads;
  int head_size;
  int max_length;

  __host__ __device__ int hidden() const { return heads * head_size; }
  __host__ __device__ int key_tiles() const {
    return static_cast<int>(attention_key_tiles(tokens, max_length));
  }
  /// Element of a probability in the dropout rule.
  __host__ __device__ int64_t element(int64_t row, int head, int key) const {
    return (row * heads + head) * max_length + key;
  }
};

/// The sequence [begin, end) of rows that `row` lies in; an empty one at `row` when it lies in
/// none.
struct RowRange {
  int begin;
  int end;
};
__host__ __device__ inline RowRange sequence_of(const int32_t* seq_start, int sequences, int row) {
  int low = 0;  // the last sequence that starts at or before the row
  int high = sequences;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (seq_start[middle] <= row ? low : high) = middle;
  }
  if (sequences == 0 || row >= seq_start[sequences]) return {row, row};
  return {seq_start[low], seq_start[low + 1]};
}

void attention_tensor_cores(const cuda::CudaDevice& device,
                            const AttentionArguments<BFloat16>& arguments);
void attention_backward_tensor_cores(const cuda::CudaDevice& device,
                                     const AttentionArguments<BFloat16>& arguments);

}  // namespace bertha::ops
