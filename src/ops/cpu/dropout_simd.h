#pragma once

// Joins the keep bits of 64 elements at a time to a mask. Each instruction set compiles its own
// copy of this header, in an anonymous namespace.

#include <cstdint>

namespace bertha::ops {
namespace {

/// Writes dropout_mask()'s words for elements [first, first + n). `keep_64(block)` gives the bits
/// of the 64 elements of Philox blocks [block, block + 8).
template <typename Keep64>
inline void write_mask_words(int64_t first, int64_t n, uint64_t* bits, const Keep64& keep_64) {
  const int64_t words = (n + 63) / 64;
  if (words <= 0) return;
  auto block = static_cast<uint64_t>(first) / 8;
  const int shift = static_cast<int>(first % 8);
  if (shift == 0) {
    for (int64_t w = 0; w < words; ++w, block += 8) bits[w] = keep_64(block);
  } else {
    uint64_t current = keep_64(block);
    for (int64_t w = 0; w < words; ++w) {
      const uint64_t next = keep_64(block += 8);
      bits[w] = current >> shift | next << (64 - shift);
      current = next;
    }
  }
  if (n % 64 != 0) bits[words - 1] &= (uint64_t{1} << (n % 64)) - 1;
}

}  // namespace
}  // namespace bertha::ops
