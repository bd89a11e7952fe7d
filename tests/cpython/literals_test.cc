#include "cpython/literals.h"

#include <gtest/gtest.h>

#include <limits>

namespace bertha::cpython {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The output of CPython's repr.
TEST(ReprFloat, EqualsPythonsRepr) {
  EXPECT_EQ(repr_float(0.0), "0.0");
  EXPECT_EQ(repr_float(-0.0), "-0.0");
  EXPECT_EQ(repr_float(1.0), "1.0");
  EXPECT_EQ(repr_float(123456.0), "123456.0");
  EXPECT_EQ(repr_float(10.89), "10.89");
  EXPECT_EQ(repr_float(0.0001), "0.0001");
  EXPECT_EQ(repr_float(0.00012345), "0.00012345");
  EXPECT_EQ(repr_float(1e-05), "1e-05");
  EXPECT_EQ(repr_float(1.5e-07), "1.5e-07");
  EXPECT_EQ(repr_float(1e15), "1000000000000000.0");
  EXPECT_EQ(repr_float(1e16), "1e+16");
  EXPECT_EQ(repr_float(123456789012345680.0), "1.2345678901234568e+17");
  EXPECT_EQ(repr_float(9007199254740992.0), "9007199254740992.0");
  EXPECT_EQ(repr_float(1.0 / 3.0), "0.3333333333333333");
  EXPECT_EQ(repr_float(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(repr_float(-2.5e-10), "-2.5e-10");
  EXPECT_EQ(repr_float(5e-324), "5e-324");
  EXPECT_EQ(repr_float(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(repr_float(kNan), "nan");
  EXPECT_EQ(repr_float(-kInfinity), "-inf");
}

TEST(JsonString, EscapesAsPythonsJsonDumps) {
  EXPECT_EQ(json_string("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_string("\n\r\t\b\f\x01\x7f"), R"("\n\r\t\b\f\u0001\u007f")");
  EXPECT_EQ(json_string("Zo\xc3\xab \xf0\x9f\x98\x80"), R"("Zo\u00eb \ud83d\ude00")");
  // Bytes that are not UTF-8: stray, truncated, overlong, a surrogate.
  EXPECT_EQ(json_string("\xff"), R"("\udcff")");
  EXPECT_EQ(json_string("\xe2\x82"), R"("\udce2\udc82")");
  EXPECT_EQ(json_string("\xc0\x80"), R"("\udcc0\udc80")");
  EXPECT_EQ(json_string("\xed\xa0\x80"), R"("\udced\udca0\udc80")");
}

}  // namespace
}  // namespace bertha::cpython
