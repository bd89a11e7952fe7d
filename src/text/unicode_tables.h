#pragma once

// Sets of code points from U+0080 on. They are fixed to the Unicode versions of the two sets of
// token rules, so that the tokens of a text do not depend on the system's Unicode version.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>

namespace bertha::text::tables {

/// First and last code point, both included. Lists are sorted and disjoint.
struct Range {
  uint32_t first;
  uint32_t last;
};

/// Whether one of `ranges` holds the code point.
inline bool contains(std::span<const Range> ranges, char32_t code_point) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code_point,
                       [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges.begin() && code_point <= std::prev(after)->last;
}

/// For every `step`-th code point c from `first` to `last`, the lower case is c + `difference`.
struct LowerRun {
  uint32_t first;
  uint32_t last;
  uint32_t step;
  int32_t difference;
};

std::span<const Range> recipe_dropped();
std::span<const Range> recipe_punctuation();
std::span<const Range> recipe_marks();
std::span<const Range> hf_dropped();
std::span<const Range> hf_punctuation();
std::span<const Range> hf_marks();
std::span<const Range> cased();
std::span<const Range> case_ignorable();
std::span<const LowerRun> lower_runs();

}  // namespace bertha::text::tables
