#include "io/shallow_json.h"

#include <gtest/gtest.h>

#include <string>

namespace bertha::io {
namespace {

using Json = nlohmann::json;

std::string nested(int64_t depth) {
  const auto count = static_cast<size_t>(depth);
  return std::string(count, '[') + std::string(count, ']');
}

TEST(ShallowJson, OneLevelMoreThanTheLimitIsDiscarded) {
  EXPECT_TRUE(parse_json(nested(kMostJsonDepth)).is_array());
  EXPECT_TRUE(parse_json(nested(kMostJsonDepth + 1)).is_discarded());
  EXPECT_EQ(find_deep_json(nested(kMostJsonDepth + 1)), kMostJsonDepth);
  EXPECT_TRUE(parse_json<nlohmann::ordered_json>(nested(10'000'000)).is_discarded());
}

TEST(ShallowJson, BracketsInStringsAreNoLevels) {
  const Json value = R"(\"[[{{)" + std::string(1000, '[');
  EXPECT_EQ(find_deep_json(value.dump()), -1);
  EXPECT_EQ(parse_json(value.dump()), value);
}

TEST(ShallowJson, WholeNumbersAreThoseOfInt64) {
  EXPECT_EQ(whole_number(parse_json("9223372036854775807")), INT64_MAX);
  EXPECT_EQ(whole_number(parse_json("-9223372036854775808")), INT64_MIN);
  EXPECT_EQ(whole_number(parse_json("0")), 0);
  for (const char* other :
       {"9223372036854775808", "18446744073709551615", "1.0", "\"1\"", "null"}) {
    EXPECT_EQ(whole_number(parse_json(other)), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace bertha::io
