#pragma once

// The templates that carry text within a sentence, English Wikipedia's above all. Templates of a
// dump are not expanded: they need not be in it, and most make boxes.

#include <string>
#include <string_view>

namespace bertha::corpus {

/// The text of a template, "" for one that is not known. `content` is what stands between the
/// braces, its parts set apart by kSeparator. The text is at most a few bytes longer than it.
std::string render_template(std::string_view content, std::string_view title);

}  // namespace bertha::corpus
