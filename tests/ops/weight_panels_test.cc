#include "ops/weight_panels.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"

namespace bertha::ops {
namespace {

/// [n,K]: channel c has the inputs 100 c + k.
std::vector<float> numbered(int64_t channels, int64_t inputs) {
  std::vector<float> values;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t k = 0; k < inputs; ++k) values.push_back(static_cast<float>(100 * c + k));
  }
  return values;
}

TEST(WeightPanels, HoldTheInputsOfAllChannelsSideBySide) {
  EXPECT_EQ(panel_shape(DType::kF32, 3, 2, 2), (Shape{2, 2, 2, 1}));
  std::vector<float> panels(8, 0);
  write_panels<float>(numbered(3, 2), {.first = 0, .inputs = 2}, 2, panels);
  EXPECT_EQ(panels, (std::vector<float>{0, 100, 1, 101, 200, 0, 201, 0}));
}

TEST(WeightPanels, KeepTwoBf16InputsOfAChannelTogether) {
  EXPECT_EQ(panel_shape(DType::kBF16, 2, 4, 2), (Shape{1, 2, 2, 2}));
  std::vector<BFloat16> panels(8);
  write_panels<BFloat16>(numbered(2, 4), {.first = 0, .inputs = 4}, 2, panels);
  const std::vector<float> expected = {0, 1, 100, 101, 2, 3, 102, 103};
  for (size_t i = 0; i < panels.size(); ++i) {
    EXPECT_EQ(static_cast<float>(panels[i]), expected[i]) << i;
  }
}

TEST(WeightPanels, TakeChannelsFromTheMiddleOfAPanelOn) {
  std::vector<float> panels(12, -1);
  write_panels<float>(numbered(3, 2), {.first = 1, .inputs = 2}, 2, panels);
  EXPECT_EQ(panels, (std::vector<float>{-1, 0, -1, 1, 100, 200, 101, 201, -1, -1, -1, -1}));
  std::vector<float> values(6);
  read_panels<float>(panels, {.first = 1, .inputs = 2}, 2, values);
  EXPECT_EQ(values, numbered(3, 2));
}

TEST(WeightPanels, OfOneChannelAreTheMatrix) {
  std::vector<BFloat16> panels(6);
  write_panels<BFloat16>(numbered(2, 3), {.first = 0, .inputs = 3}, 1, panels);
  std::vector<float> values(6);
  read_panels<BFloat16>(panels, {.first = 0, .inputs = 3}, 1, values);
  EXPECT_EQ(values, numbered(2, 3));
  EXPECT_EQ(static_cast<float>(panels[3]), 100);
}

TEST(WeightPanels, RefuseChannelsThatTheyHaveNoRoomFor) {
  std::vector<float> panels(8);
  EXPECT_THROW(write_panels<float>(numbered(3, 2), {.first = 2, .inputs = 2}, 2, panels),
               LogicError);
  EXPECT_THROW(panel_shape(DType::kBF16, 2, 3, 2), LogicError);
}

}  // namespace
}  // namespace bertha::ops
