#pragma once

// Sets of code points from U+0080 on, pinned to the versions that the two sets of token rules were
// made with, so that the same text gives the same tokens whatever Unicode the system knows.

#include <cstdint>
#include <span>

namespace bertha::text::tables {

/// First and last code point, both inside. Lists are sorted and disjoint.
struct Range {
  uint32_t first;
  uint32_t last;
};

/// Every `step`-th code point from `first` to `last` has itself + `difference` as lower case.
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
