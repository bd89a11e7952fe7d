#pragma once

// The texts whose vectors are nearest to that of a query, by cosine.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "cli/text_input.h"

namespace bertha::cli {

struct NearText {
  double cosine = 0;
  TextRecord record{};
};

/// Keeps the nearest of the texts that it is offered, so that a file may be larger than the memory.
class NearestTexts {
 public:
  NearestTexts(std::vector<float> query, size_t most) : query_(std::move(query)), most_(most) {}

  void offer(std::span<const float> vector, const TextRecord& record);
  /// The nearest first; of texts that are equally near the first one in the file.
  std::vector<NearText> take();

 private:
  std::vector<float> query_;
  size_t most_;
  std::vector<NearText> heap_;  ///< the farthest first
};

}  // namespace bertha::cli
