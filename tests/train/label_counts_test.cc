#include "train/label_counts.h"

#include <gtest/gtest.h>

namespace bertha::train {
namespace {

TEST(LabelCounts, EntropyIsThatOfTheFrequencies) {
  LabelCounts counts(4);
  EXPECT_EQ(counts.entropy(), 0);
  counts.add(std::vector<int32_t>{0, 0, 1, 3});
  EXPECT_NEAR(counts.entropy(), 0.5 * std::log(2.0) + 0.5 * std::log(4.0), 1e-15);
}

}  // namespace
}  // namespace bertha::train
