#include "cpython/random.h"

#include <algorithm>

namespace bertha::cpython {
namespace {

constexpr size_t kShift = 397;  // "m" in the paper

constexpr uint32_t twist(uint32_t upper, uint32_t lower) {
  const uint32_t mixed = (upper & 0x80000000U) | (lower & 0x7fffffffU);
  return (mixed >> 1) ^ ((lower & 1U) != 0 ? 0x9908b0dfU : 0U);
}

constexpr uint32_t temper(uint32_t word) {
  word ^= word >> 11;
  word ^= (word << 7) & 0x9d2c5680U;
  word ^= (word << 15) & 0xefc60000U;
  return word ^ (word >> 18);
}

}  // namespace

PythonRandom::PythonRandom(int64_t seed) {
  // Negation as unsigned is also correct for the lowest int64_t.
  const auto bits = static_cast<uint64_t>(seed);
  const uint64_t magnitude = seed < 0 ? ~bits + 1 : bits;
  const std::array words = {static_cast<uint32_t>(magnitude),
                            static_cast<uint32_t>(magnitude >> 32)};
  seed_words(std::span(words).first(words[1] != 0 ? 2 : 1));
}

// init_by_array of the authors' 2002 version.
void PythonRandom::seed_words(std::span<const uint32_t> key) {
  state_[0] = 19650218U;
  for (size_t i = 1; i < kStateWords; ++i) {
    const uint32_t before = state_[i - 1];
    state_[i] = 1812433253U * (before ^ (before >> 30)) + static_cast<uint32_t>(i);
  }
  size_t at = 1;
  const auto advance = [&] {
    if (++at < kStateWords) return;
    state_[0] = state_[kStateWords - 1];
    at = 1;
  };
  for (size_t i = 0; i < std::max(kStateWords, key.size()); ++i) {
    const size_t word = i % key.size();
    const uint32_t before = state_[at - 1];
    state_[at] = (state_[at] ^ ((before ^ (before >> 30)) * 1664525U)) + key[word] +
                 static_cast<uint32_t>(word);
    advance();
  }
  for (size_t i = 1; i < kStateWords; ++i) {
    const uint32_t before = state_[at - 1];
    state_[at] =
        (state_[at] ^ ((before ^ (before >> 30)) * 1566083941U)) - static_cast<uint32_t>(at);
    advance();
  }
  state_[0] = 0x80000000U;
}

void PythonRandom::refill() {
  constexpr size_t kTail = kStateWords - kShift;
  for (size_t i = 0; i < kTail; ++i) {
    state_[i] = state_[i + kShift] ^ twist(state_[i], state_[i + 1]);
  }
  for (size_t i = kTail; i < kStateWords - 1; ++i) {
    state_[i] = state_[i - kTail] ^ twist(state_[i], state_[i + 1]);
  }
  state_[kStateWords - 1] = state_[kShift - 1] ^ twist(state_[kStateWords - 1], state_[0]);
  for (size_t i = 0; i < kStateWords; ++i) words_[i] = temper(state_[i]);
  index_ = 0;
}

}  // namespace bertha::cpython
