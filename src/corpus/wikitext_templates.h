#pragma once

// Templates that carry text within a sentence, mainly those of the English Wikipedia. Templates are
// not expanded from the dump: it may not contain them, and most of them make boxes.

#include <string>
#include <string_view>

namespace bertha::corpus {

/// The text of a template, or "" for an unknown one. `content` is the text between the braces, with
/// parts separated by kSeparator. The result is at most a few bytes longer than `content`.
std::string render_template(std::string_view content, std::string_view title);

}  // namespace bertha::corpus
