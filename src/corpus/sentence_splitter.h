#pragma once

// Where sentences end. Rules over the characters around a full stop: abbreviations, initials,
// numbers, quotes and brackets. English first; the marks of other writings are known too. The
// figures beside ICU and Punkt are in docs/data.md.

#include <string>
#include <string_view>
#include <vector>

namespace bertha::corpus {

/// The sentences of a text, in order, without blanks at their ends; none is empty. A text that is
/// not blank has at least one. The time is linear in the text. The views point into it.
std::vector<std::string_view> split_sentences(std::string_view text);

}  // namespace bertha::corpus
