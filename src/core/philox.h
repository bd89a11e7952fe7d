#pragma once

// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011, section 3.3). A draw is a function of (key, counter), so
// it does not depend on the device or on the number of threads.

#include <array>
#include <cstddef>
#include <cstdint>

namespace bertha {

using PhiloxBlock = std::array<uint32_t, 4>;

/// Four 32-bit random words for a 128-bit counter under a 64-bit key.
constexpr PhiloxBlock philox(PhiloxBlock counter, uint64_t key) {
  auto key0 = static_cast<uint32_t>(key);
  auto key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53U} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57U} * counter[2];
    counter = {
        static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return counter;
}

/// A uniform stream for host code (initial weights, data order). It returns words in counter order.
class PhiloxStream {
 public:
  /// Streams with different (seed, stream) are independent.
  PhiloxStream(uint64_t seed, uint64_t stream) : key_(seed), stream_(stream) {}

  uint32_t next_u32() {
    if (word_ == 4) refill();
    return block_[static_cast<size_t>(word_++)];
  }
  uint64_t next_u64() {
    const uint64_t high = next_u32();
    return high << 32 | next_u32();
  }
  /// Uniform in [0, bound) without bias: draws from the incomplete last interval are rejected.
  /// bound >= 1.
  uint64_t below(uint64_t bound) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t draw = next_u64();
    while (draw >= limit) draw = next_u64();
    return draw % bound;
  }
  /// Uniform in [0, 1) with 53 random bits.
  double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

 private:
  void refill() {
    block_ = philox({static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32),
                     static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                    key_);
    ++index_;
    word_ = 0;
  }

  uint64_t key_;
  uint64_t stream_;
  uint64_t index_ = 0;
  PhiloxBlock block_{};
  int word_ = 4;
};

}  // namespace bertha
