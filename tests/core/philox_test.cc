#include "core/philox.h"

#include <gtest/gtest.h>

namespace bertha {
namespace {

// Known answers published with the method (Random123, kat_vectors, philox4x32 10).
TEST(Philox, EqualsThePublishedAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, ~uint64_t{0}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxStream, BelowReturnsEveryValueUnderTheBound) {
  PhiloxStream stream(1, 2);
  std::array<int, 7> seen{};
  for (int i = 0; i < 700; ++i) ++seen.at(stream.below(7));
  for (const int count : seen) EXPECT_GT(count, 50);
}

}  // namespace
}  // namespace bertha
