#include "bert/model_sizes.h"

#include <gtest/gtest.h>

#include "bert/parameters.h"
#include "core/error.h"

namespace bertha::bert {
namespace {

/// Parameters of the encoder with its pooler, in millions, as google-research/bert's README lists
/// the models with the English vocabulary of 30,522 pieces.
TEST(ModelSizes, ParametersAreThoseOfThePublishedModels) {
  const std::vector<std::pair<const char*, double>> published = {
      {"tiny", 4.4}, {"mini", 11.3}, {"small", 29.1}, {"medium", 41.7}, {"base", 110.1}};
  for (const auto& [size, millions] : published) {
    const ParameterTable table(config_of_size(size, 30522), Heads::for_pretraining());
    EXPECT_NEAR(static_cast<double>(table.parameter_count()) / 1e6, millions, 0.02 * millions)
        << size;
  }
}

TEST(ModelSizes, OtherNamesAreRefused) {
  EXPECT_EQ(model_sizes().size(), 6U);
  EXPECT_THROW(config_of_size("huge", 30522), Error);
}

}  // namespace
}  // namespace bertha::bert
