#pragma once

// What methods of Python's str do, for files and scores that are defined by Python programs.

#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace bertha::text {

/// Code points that str.isspace() holds for (bidirectional class WS, B or S, or category Zs).
bool is_python_space(char32_t code_point);

/// What \w of Python's re matches in a str, but for the underscore: letters and numbers.
bool is_python_alphanumeric(char32_t code_point);

/// The code points of a text; what is not UTF-8 is U+FFFD.
std::vector<Letter> letters_of(std::string_view text);
std::string to_utf8(const std::vector<Letter>& letters);

/// str.split(): the words between runs of spaces.
std::vector<std::string_view> split_at_spaces(std::string_view text);

}  // namespace bertha::text
