#pragma once

// CPython's random.Random(seed) for the calls the recipe's scripts make, draw for draw: MT19937
// (Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998) seeded by init_by_array with
// the seed's 32-bit words, and the integer and shuffle methods of Lib/random.py (3.2 and later).

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace bertha::dataset {

class PythonRandom {
 public:
  /// random.Random(seed); as there, the sign of the seed is dropped.
  explicit PythonRandom(int64_t seed);

  uint32_t next_u32() {
    if (index_ == kStateWords) refill();
    uint32_t word = state_[index_++];
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c5680U;
    word ^= (word << 15) & 0xefc60000U;
    return word ^ (word >> 18);
  }
  /// getrandbits(bits), 1 <= bits <= 32: the top bits of one word.
  uint32_t bits(int count) { return next_u32() >> (32 - count); }
  /// random(): uniform in [0, 1), 53 bits of two words.
  double random() {
    const uint32_t high = next_u32() >> 5;
    const uint32_t low = next_u32() >> 6;
    return (high * 67108864.0 + low) * 0x1p-53;
  }
  /// _randbelow(bound), bound >= 1: draws bound.bit_length() bits until they are below `bound`. So
  /// a bound of 1 draws too, and a power of two rejects half.
  uint32_t below(uint32_t bound) {
    const auto count = static_cast<int>(std::bit_width(bound));
    uint32_t draw = bits(count);
    while (draw >= bound) draw = bits(count);
    return draw;
  }
  /// randint(low, high), both ends included; low <= high, less than 2^32 - 1 apart.
  int64_t randint(int64_t low, int64_t high) {
    return low + below(static_cast<uint32_t>(high - low + 1));
  }
  /// shuffle(items), fewer than 2^32 of them.
  template <typename T>
  void shuffle(std::span<T> items) {
    for (size_t i = items.size(); i-- > 1;) {
      std::swap(items[i], items[below(static_cast<uint32_t>(i + 1))]);
    }
  }

 private:
  static constexpr size_t kStateWords = 624;

  void seed_words(std::span<const uint32_t> key);
  void refill();

  std::array<uint32_t, kStateWords> state_{};
  size_t index_ = kStateWords;
};

}  // namespace bertha::dataset
