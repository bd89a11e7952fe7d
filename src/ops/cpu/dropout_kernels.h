#pragma once

// Dropout masks on the CPU, as bits: the rule of ops/dropout.h, many elements at a time. Kernels of
// any instruction set include this header; it holds declarations alone.

#include <cstdint>

namespace bertha {
struct Dropout;
}

namespace bertha::ops {

/// A Dropout with its device scalars read.
struct DropoutStream {
  uint64_t seed = 0;
  uint32_t draw = 0;
  uint32_t site = 0;
  uint32_t dropped_of_65536 = 0;
};

/// Reads the seed tensor, which must lie in host memory. Where dropout is not active the seed may
/// be absent and reads as 0.
DropoutStream dropout_stream(const Dropout& dropout);

/// Bit i % 64 of bits[i / 64] says whether element first + i is kept, for i in [0, n). Writes
/// (n + 63) / 64 words; bits from n on are 0. Runs that begin at a multiple of 8 are fastest.
/// Picks the kernel for this processor.
void dropout_mask(const DropoutStream& stream, int64_t first, int64_t n, uint64_t* bits);

/// The kernels behind dropout_mask.
void dropout_mask_avx2(const DropoutStream& stream, int64_t first, int64_t n, uint64_t* bits);
void dropout_mask_avx512(const DropoutStream& stream, int64_t first, int64_t n, uint64_t* bits);

}  // namespace bertha::ops
