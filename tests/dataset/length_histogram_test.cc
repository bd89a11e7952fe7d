#include "dataset/length_histogram.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace bertha::dataset {
namespace {

/// A survey with one sequence of each length from 1 to `longest`.
Survey one_of_each(int64_t longest) {
  Survey survey;
  survey.by_length.assign(static_cast<size_t>(longest) + 1, 1);
  survey.by_length[0] = 0;
  survey.sequences = longest;
  survey.tokens = longest * (longest + 1) / 2;
  survey.places = longest * longest;
  return survey;
}

TEST(LengthHistogram, BinsCoverEveryLengthOnce) {
  for (const int64_t longest : {1, 5, 16, 17, 128, 509}) {
    int64_t next = 1;
    int64_t sequences = 0;
    for (const LengthBin& bin : length_histogram(one_of_each(longest))) {
      EXPECT_EQ(bin.lower, next);
      EXPECT_EQ(bin.sequences, bin.upper - bin.lower + 1);
      next = bin.upper + 1;
      sequences += bin.sequences;
    }
    EXPECT_EQ(next, longest + 1);
    EXPECT_EQ(sequences, longest);
    EXPECT_LE(length_histogram(one_of_each(longest)).size(), 16U);
  }
}

TEST(LengthHistogram, FullestBinIsFound) {
  Survey survey = one_of_each(32);
  survey.by_length[20] = 100;
  EXPECT_EQ(most_sequences(length_histogram(survey)), 101);
}

TEST(LengthHistogram, PictureHasABarForEachBin) {
  const std::string svg = length_svg(one_of_each(16));
  size_t bars = 0;
  for (size_t at = svg.find("#2f6f9f"); at != std::string::npos; at = svg.find("#2f6f9f", at + 1)) {
    ++bars;
  }
  EXPECT_EQ(bars, 16U);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace bertha::dataset
