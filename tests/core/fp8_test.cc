#include "core/fp8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/dtype.h"

namespace bertha {
namespace {

class Fp8 : public testing::TestWithParam<Fp8Format> {
 protected:
  /// All finite numbers of the format that are not negative, in order.
  std::vector<float> numbers() const {
    std::vector<float> all;
    for (int bits = 0; bits < 0x80; ++bits) {
      const float value = fp8_value(static_cast<uint8_t>(bits), GetParam());
      if (std::isfinite(value)) all.push_back(value);
    }
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Formats, Fp8, testing::Values(Fp8Format::kE4M3, Fp8Format::kE5M2));

TEST_P(Fp8, EveryNumberKeepsItsBits) {
  for (int bits = 0; bits < 0x100; ++bits) {
    const float value = fp8_value(static_cast<uint8_t>(bits), GetParam());
    if (std::isfinite(value)) {
      EXPECT_EQ(fp8_bits(value, GetParam()), bits) << value;
      EXPECT_EQ(std::signbit(value), bits >= 0x80);
    }
  }
}

TEST_P(Fp8, RoundsToTheNearestAndTiesToEven) {
  const std::vector<float> all = numbers();
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    ASSERT_LT(all[i], all[i + 1]);
    const float middle = (all[i] + all[i + 1]) / 2;
    const auto even = static_cast<uint8_t>(i % 2 == 0 ? i : i + 1);
    EXPECT_EQ(fp8_bits(middle, GetParam()), even) << middle;
    EXPECT_EQ(fp8_bits(std::nextafter(middle, 0.0F), GetParam()), i);
    EXPECT_EQ(fp8_bits(-std::nextafter(middle, 1e30F), GetParam()), 0x80 + i + 1);
  }
}

TEST_P(Fp8, LargeNumbersSaturateAndNaNStays) {
  const float largest = fp8_largest(GetParam());
  EXPECT_EQ(numbers().back(), largest);
  for (const float large : {largest * 1.01F, 1e30F, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(fp8_value(fp8_bits(large, GetParam()), GetParam()), largest);
    EXPECT_EQ(fp8_value(fp8_bits(-large, GetParam()), GetParam()), -largest);
  }
  EXPECT_TRUE(std::isnan(fp8_value(fp8_bits(std::nanf(""), GetParam()), GetParam())));
}

TEST_P(Fp8, ScaleUsesTheRangeAndNoMore) {
  const float largest = fp8_largest(GetParam());
  for (const float maximum : {1e-6F, 0.02F, 0.875F, 0.8750001F, 1.0F, 447.0F, 3e7F}) {
    const float scale = fp8_scale(maximum, GetParam());
    EXPECT_LE(maximum * scale, largest) << maximum;
    EXPECT_GT(maximum * scale * 2, largest) << maximum;
    int exponent = 0;
    EXPECT_EQ(std::frexp(scale, &exponent), 0.5F) << "a power of two";
  }
  for (const float none : {0.0F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    EXPECT_EQ(fp8_scale(none, GetParam()), 1);
  }
}

/// What lets a device without such products multiply the rounded operands as bf16.
TEST_P(Fp8, RoundedNumbersAreBFloat16Numbers) {
  for (const float value : numbers()) {
    for (const float scale : {1.0F, 0x1p-40F, 0x1p60F}) {
      EXPECT_EQ(static_cast<float>(BFloat16(value / scale)), value / scale);
      EXPECT_EQ(round_to_fp8(value / scale, scale, GetParam()), value / scale);
    }
  }
}

}  // namespace
}  // namespace bertha
