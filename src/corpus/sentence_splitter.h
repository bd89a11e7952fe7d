#pragma once

// Finds the ends of sentences by rules over the characters around an end mark: abbreviations,
// initials, numbers, quotes and brackets. The rules are made for English but know the end marks of
// other scripts. docs/evidence/data.md compares the results with ICU and Punkt.

#include <string>
#include <string_view>
#include <vector>

namespace bertha::corpus {

/// The sentences of a text, in order, without white space at their ends. No sentence is empty, and
/// a text that is not blank has at least one. The time is linear in the text. The views point into
/// it.
std::vector<std::string_view> split_sentences(std::string_view text);

}  // namespace bertha::corpus
