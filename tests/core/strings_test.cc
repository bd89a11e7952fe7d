#include "core/strings.h"

#include <gtest/gtest.h>

#include <vector>

namespace bertha {
namespace {

TEST(Strings, JoinPutsTheSeparatorBetweenParts) {
  EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
  EXPECT_EQ(join(std::vector<std::string>{"a", "b", "c"}, ", "), "a, b, c");
}

TEST(Strings, LowerAsciiChangesAsciiCapitalsAlone) {
  EXPECT_EQ(lower_ascii("AZ az 09 @[`{ \xC3\x84"), "az az 09 @[`{ \xC3\x84");
}

}  // namespace
}  // namespace bertha
