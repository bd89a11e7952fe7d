#pragma once

// SHA-256 (FIPS 180-4), to compare with published digests.

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace bertha::test {

class Sha256 {
 public:
  void add(std::string_view data) {
    size_ += data.size();
    for (const char byte : data) {
      block_.push_back(byte);
      if (block_.size() == 64) consume();
    }
  }

  /// Finishes the message; call it once.
  std::string hex() {
    const uint64_t bits = size_ * 8;
    std::string padding(1, '\x80');
    padding.append((119 - size_ % 64) % 64, '\0');
    for (int shift = 56; shift >= 0; shift -= 8)
      padding.push_back(static_cast<char>(bits >> shift));
    add(padding);
    std::string result;
    for (const uint32_t word : state_) {
      for (int shift = 28; shift >= 0; shift -= 4) {
        result.push_back("0123456789abcdef"[(word >> shift) & 15]);
      }
    }
    return result;
  }

 private:
  // The first 32 bits of the fractional part of the cube root of a prime.
  static uint32_t constant(int prime) {
    const long double root = std::cbrt(static_cast<long double>(prime));
    return static_cast<uint32_t>((root - std::floor(root)) * 4294967296.0L);
  }

  static const std::array<uint32_t, 64>& constants() {
    static const std::array<uint32_t, 64> kConstants = [] {
      std::array<uint32_t, 64> constants{};
      size_t count = 0;
      for (int candidate = 2; count < constants.size(); ++candidate) {
        bool prime = true;
        for (int divisor = 2; divisor * divisor <= candidate; ++divisor) {
          prime = prime && candidate % divisor != 0;
        }
        if (prime) constants[count++] = constant(candidate);
      }
      return constants;
    }();
    return kConstants;
  }

  void consume() {
    std::array<uint32_t, 64> w{};
    for (size_t i = 0; i < 64; ++i) {
      w[i / 4] = (w[i / 4] << 8) | static_cast<uint8_t>(block_[i]);
    }
    for (size_t i = 16; i < 64; ++i) {
      const uint32_t a = w[i - 15];
      const uint32_t b = w[i - 2];
      w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3)) + w[i - 7] +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10));
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (size_t i = 0; i < 64; ++i) {
      const uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                          ((e & f) ^ (~e & g)) + constants()[i] + w[i];
      const uint32_t t2 =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::array<uint32_t, 8> sums = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < 8; ++i) state_[i] += sums[i];
    block_.clear();
  }

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t size_ = 0;
  std::string block_;
};

}  // namespace bertha::test
