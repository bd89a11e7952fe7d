#include "runlog/quantity_format.h"

#include <gtest/gtest.h>

#include <limits>

namespace bertha::runlog {
namespace {

TEST(QuantityFormat, DurationHasItsTwoLargestUnits) {
  EXPECT_EQ(format_duration(0), "0 s");
  EXPECT_EQ(format_duration(59.6), "1 min 0 s");
  EXPECT_EQ(format_duration(125), "2 min 5 s");
  EXPECT_EQ(format_duration(12000), "3 h 20 min");
  EXPECT_EQ(format_duration(187200), "2 d 4 h");
  EXPECT_EQ(format_duration(-3), "0 s");
  EXPECT_NE(format_duration(std::numeric_limits<double>::infinity()), "");
}

TEST(QuantityFormat, RateHasThreeDigits) {
  EXPECT_EQ(format_rate(1.234), "1.23");
  EXPECT_EQ(format_rate(98.24), "98.2");
  EXPECT_EQ(format_rate(950), "950");
  EXPECT_EQ(format_rate(999.7), "1.00k");
  EXPECT_EQ(format_rate(12345), "12.3k");
  EXPECT_EQ(format_rate(4.56e6), "4.56M");
}

TEST(QuantityFormat, CountHasACommaAfterEachThousand) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(7038), "7,038");
  EXPECT_EQ(format_count(-123456), "-123,456");
  EXPECT_EQ(format_count(1234567), "1,234,567");
}

TEST(QuantityFormat, BytesHaveTwoDecimalsAboveAThousand) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1230), "1.23 kB");
  EXPECT_EQ(format_bytes(5e9), "5.00 GB");
  EXPECT_EQ(format_bytes(2e16), "20000.00 TB");
}

}  // namespace
}  // namespace bertha::runlog
