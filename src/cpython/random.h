#pragma once

// CPython's random.Random(seed), draw for draw, for the calls that the reference's scripts make.
// MT19937 (Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998), seeded by
// init_by_array with the 32-bit words of the seed, and the integer and shuffle methods of
// Lib/random.py (3.2 and later).

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace bertha::cpython {

class PythonRandom {
 public:
  /// random.Random(seed). As in CPython, the sign of the seed is ignored.
  explicit PythonRandom(int64_t seed);

  uint32_t next_u32() {
    if (index_ == kStateWords) refill();
    return words_[index_++];
  }
  /// getrandbits(bits), 1 <= bits <= 32: the highest bits of one word.
  uint32_t bits(int count) { return next_u32() >> (32 - count); }
  /// random(): uniform in [0, 1), 53 bits from two words.
  double random() {
    const uint32_t high = next_u32() >> 5;
    const uint32_t low = next_u32() >> 6;
    return (high * 67108864.0 + low) * 0x1p-53;
  }
  /// _randbelow(bound), bound >= 1: draws bound.bit_length() bits until the result is below
  /// `bound`. Therefore a bound of 1 also draws, and a power of two rejects half of the draws.
  uint32_t below(uint32_t bound) {
    const auto count = static_cast<int>(std::bit_width(bound));
    uint32_t draw = bits(count);
    while (draw >= bound) draw = bits(count);
    return draw;
  }
  /// randint(low, high), both ends included; requires low <= high and high - low < 2^32 - 1.
  int64_t randint(int64_t low, int64_t high) {
    return low + below(static_cast<uint32_t>(high - low + 1));
  }
  /// shuffle(items), for fewer than 2^32 items: for i from the last index down to 1, swaps items[i]
  /// and items[below(i + 1)]. A rejected draw swaps items[i] with itself, which avoids a branch
  /// that the processor cannot predict.
  template <typename T>
  void shuffle(std::span<T> items) {
    for (size_t i = items.empty() ? 0 : items.size() - 1; i > 0;) {
      const auto width = static_cast<int>(std::bit_width(i + 1));
      const size_t last_of_width = (size_t{1} << (width - 1)) - 1;
      if (index_ == kStateWords) refill();
      while (i >= last_of_width && index_ < kStateWords) {
        const size_t draw = words_[index_++] >> (32 - width);
        std::swap(items[i], items[std::min(draw, i)]);
        i -= draw <= i ? 1 : 0;
      }
    }
  }

 private:
  static constexpr size_t kStateWords = 624;

  void seed_words(std::span<const uint32_t> key);
  void refill();

  std::array<uint32_t, kStateWords> state_{};
  std::array<uint32_t, kStateWords> words_{};  ///< words drawn from the state
  size_t index_ = kStateWords;                 ///< index of the next word
};

}  // namespace bertha::cpython
