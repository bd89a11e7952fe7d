#include "ops/dropout.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "backend/cpu/cpu_device.h"
#include "backend/cpu/cpu_view.h"
#include "ops/cpu/dropout_kernels.h"

namespace bertha::ops {
namespace {

constexpr int64_t kPastFourGig = (int64_t{1} << 35) - 21;  // the block number crosses 32 bits

using Kernel = void (*)(const DropoutStream&, int64_t, int64_t, uint64_t*);

std::vector<Kernel> available_kernels() {
  std::vector<Kernel> kernels = {dropout_mask, dropout_mask_avx2};
  if (cpu::best_isa() >= cpu::Isa::kAvx512) kernels.push_back(dropout_mask_avx512);
  return kernels;
}

/// True when every bit of the run is what the rule says, nothing behind it is written, and the bits
/// behind the last element are clear.
bool follows_rule(Kernel kernel, const DropoutStream& stream, int64_t first, int64_t n) {
  constexpr uint64_t kGuard = 0x5a5a5a5a5a5a5a5aU;
  const Dropout dropout{
      .dropped_of_65536 = stream.dropped_of_65536, .site = stream.site, .seed = {}};
  const auto words = static_cast<size_t>((n + 63) / 64);
  std::vector<uint64_t> bits(words + 1, kGuard);
  kernel(stream, first, n, bits.data());
  if (bits[words] != kGuard) return false;
  for (int64_t i = 0; i < static_cast<int64_t>(words) * 64; ++i) {
    const bool bit = (bits[static_cast<size_t>(i / 64)] >> (i % 64) & 1U) != 0;
    const bool expected = i < n && dropout_keeps(dropout, stream.seed, stream.draw, first + i);
    if (bit != expected) return false;
  }
  return true;
}

TEST(DropoutMask, FollowsTheRuleAtAnyOffsetAndLength) {
  const DropoutStream stream{
      .seed = 0x123456789abcdef0U, .draw = 0xfedcba98U, .site = 77, .dropped_of_65536 = 6554};
  for (const Kernel kernel : available_kernels()) {
    for (const int64_t base : {int64_t{0}, int64_t{5120}, kPastFourGig}) {
      for (int64_t offset = 0; offset < 9; ++offset) {
        for (const int64_t n : {0, 1, 7, 8, 31, 63, 64, 65, 127, 128, 200, 513}) {
          EXPECT_TRUE(follows_rule(kernel, stream, base + offset, n)) << base + offset << "+" << n;
        }
      }
    }
  }
}

TEST(DropoutMask, FollowsTheRuleForEveryRate) {
  for (const Kernel kernel : available_kernels()) {
    for (const uint32_t dropped : {1U, 32767U, 32768U, 32769U, 65535U}) {
      const DropoutStream stream{
          .seed = dropped, .draw = 3, .site = 0xffffffffU, .dropped_of_65536 = dropped};
      EXPECT_TRUE(follows_rule(kernel, stream, 3, 4099)) << dropped;
    }
  }
}

TEST(DropoutMask, KeepsEverythingAtRateZero) {
  for (const Kernel kernel : available_kernels()) {
    uint64_t bits = 0;
    kernel({.seed = 9, .draw = 1, .site = 2, .dropped_of_65536 = 0}, 11, 64, &bits);
    EXPECT_EQ(bits, UINT64_MAX);
  }
}

TEST(DropoutMask, KeepsTheShareAsked) {
  const Dropout dropout = make_dropout(0.1, 4, {});
  const DropoutStream stream{
      .seed = 42, .draw = 7, .site = 4, .dropped_of_65536 = dropout.dropped_of_65536};
  constexpr int64_t kElements = 1 << 20;
  std::vector<uint64_t> bits(kElements / 64);
  dropout_mask(stream, 0, kElements, bits.data());
  int64_t kept = 0;
  for (const uint64_t word : bits) kept += std::popcount(word);
  // Six standard deviations of a binomial count.
  EXPECT_NEAR(static_cast<double>(kept) / kElements, 0.9, 6 * 0.3 / 1024);
  EXPECT_FLOAT_EQ(dropout.scale(), 65536.0F / (65536.0F - 6554.0F));
}

TEST(DropoutStream, ReadsTheSeedTensor) {
  cpu::CpuDevice device;
  const Buffer buffer = device.allocate(16);
  const Tensor seed(&buffer, 0, DType::kI64, {2});
  cpu::data<int64_t>(out(seed))[0] = -5;
  cpu::data<int64_t>(out(seed))[1] = 0x1ffffffffLL;
  const DropoutStream stream = dropout_stream(make_dropout(0.25, 6, seed));
  EXPECT_EQ(stream.seed, 0xfffffffffffffffbU);
  EXPECT_EQ(stream.draw, 0xffffffffU);
  EXPECT_EQ(stream.site, 6U);
  EXPECT_EQ(stream.dropped_of_65536, 16384U);
  EXPECT_EQ(dropout_stream(make_dropout(0, 6, {})).seed, 0U);
}

TEST(Dropout, RefusesProbabilitiesOutsideItsRange) {
  EXPECT_THROW(make_dropout(1.0, 0, {}), LogicError);
  EXPECT_THROW(make_dropout(-0.1, 0, {}), LogicError);
}

}  // namespace
}  // namespace bertha::ops
