#pragma once

// Tensor core instructions of compute capability 8.0 on (PTX ISA, "Matrix fragments for
// mma.m16n8k16" and "ldmatrix"), as functions. In what follows a lane is g = lane / 4, t = lane
// % 4.

#include <cstdint>

#include "backend/cuda/kernel.h"

namespace bertha::cuda {

#if defined(__CUDACC__)

/// c [16,8] += a [16,16] b [16,8], bf16 in, f32 sums. A lane holds of c: rows g and g + 8, columns
/// 2t and 2t + 1, in the order (g,2t) (g,2t+1) (g+8,2t) (g+8,2t+1); of a: pairs of columns (2t,
/// 2t+1) of rows g, g + 8, then the same eight columns on; of b: pairs of rows (2t, 2t+1) of column
/// g, then eight rows on.
__device__ inline void mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four matrices of 8 x 8 bf16 from shared memory: lane l names row l % 8 of matrix l / 8 (16
/// bytes) and receives in to[i] the elements (g, 2t) and (g, 2t + 1) of matrix i.
__device__ inline void load_matrices(uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

/// The same with each matrix transposed: elements (2t, g) and (2t + 1, g).
__device__ inline void load_matrices_transposed(uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

#endif

/// Two floats as bf16 in one word, the first in the low half.
__device__ inline uint32_t pack_bf16(float low, float high) {
  return static_cast<uint32_t>(float_to_bf16_bits(low)) |
         static_cast<uint32_t>(float_to_bf16_bits(high)) << 16;
}

}  // namespace bertha::cuda
