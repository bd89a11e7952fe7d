#pragma once

// Dropout masks in device code: the rule of ops/dropout.h, eight elements a Philox block. For .cu
// files.

#include <cstdint>

#include "backend/cuda/cuda_view.h"
#include "backend/cuda/kernel.h"
#include "core/philox.h"
#include "ops/dropout.h"

namespace bertha::ops {

/// A Dropout as a kernel takes it: the seed is read on the device.
struct DropoutArguments {
  const int64_t* seed = nullptr;  ///< i64 [2]; null: no dropout
  uint32_t dropped_of_65536 = 0;
  uint32_t site = 0;
  float scale = 1;
};

inline DropoutArguments dropout_arguments(const Dropout& dropout) {
  if (!dropout.active()) return {};
  return {.seed = cuda::data<int64_t>(dropout.seed),
          .dropped_of_65536 = dropout.dropped_of_65536,
          .site = dropout.site,
          .scale = dropout.scale()};
}

/// Bits of eight elements from a multiple of 8 on: bit i says whether element 8 * block + i stays.
__device__ inline uint32_t keep_bits_of_block(const DropoutArguments& dropout, uint64_t block) {
  const PhiloxBlock words =
      philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), dropout.site,
              static_cast<uint32_t>(dropout.seed[1])},
             static_cast<uint64_t>(dropout.seed[0]));
  uint32_t bits = 0;
#pragma unroll
  for (uint32_t word = 0; word < 4; ++word) {
    bits |= static_cast<uint32_t>((words[word] & 0xffffU) >= dropout.dropped_of_65536)
            << (2 * word);
    bits |= static_cast<uint32_t>((words[word] >> 16) >= dropout.dropped_of_65536)
            << (2 * word + 1);
  }
  return bits;
}

/// The same from any element on.
__device__ inline uint32_t keep_bits(const DropoutArguments& dropout, int64_t first) {
  const auto block = static_cast<uint64_t>(first) / 8;
  const auto skipped = static_cast<uint32_t>(first % 8);
  uint32_t bits = keep_bits_of_block(dropout, block) >> skipped;
  if (skipped != 0) bits |= keep_bits_of_block(dropout, block + 1) << (8 - skipped) & 0xffU;
  return bits;
}

/// values[i] of element first + i becomes what dropout makes of it; `first` is a multiple of
/// kCount.
template <int kCount>
__device__ inline void drop(const DropoutArguments& dropout, int64_t first,
                            float (&values)[kCount]) {
  static_assert(kCount == 1 || kCount == 8);
  if (dropout.seed == nullptr) return;
  const uint32_t bits = kCount == 8 ? keep_bits_of_block(dropout, static_cast<uint64_t>(first) / 8)
                                    : keep_bits(dropout, first);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    values[i] = (bits >> i & 1U) != 0 ? values[i] * dropout.scale : 0.0F;
  }
}

}  // namespace bertha::ops
