#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/vocabulary.h"

namespace bertha::dataset {

/// A sequence of a shard as readers see it.
struct ShardSample {
  int64_t row = 0;
  bool random_next = false;  ///< whether the second segment is from another document
  std::string text;          ///< "[CLS] the {cat} sat [SEP] …": masked words in braces, unmasked
};

/// The sequences of `rows` rows (or of all, where there are fewer), spread evenly over the file.
/// Throws Error when the file is not sound.
std::vector<ShardSample> sample_shard(const std::string& file, const text::Vocabulary& vocabulary,
                                      int64_t rows);

}  // namespace bertha::dataset
