#pragma once

// How long the sequences of shards are, as bins and as a picture.

#include <cstdint>
#include <string>
#include <vector>

#include "dataset/shard_survey.h"

namespace bertha::dataset {

/// Sequences of `lower` to `upper` tokens.
struct LengthBin {
  int64_t lower = 0;
  int64_t upper = 0;
  int64_t sequences = 0;
};

/// At most 16 bins of about the same width, from length 1 to the longest.
std::vector<LengthBin> length_histogram(const Survey& survey);
/// Sequences of the fullest bin.
int64_t most_sequences(const std::vector<LengthBin>& bins);

/// The histogram as SVG.
std::string length_svg(const Survey& survey);

}  // namespace bertha::dataset
