#pragma once

// What methods of Python's str do, for files and scores that are defined by Python programs.

#include <string_view>
#include <vector>

namespace bertha::cpython {

/// Code points that str.isspace() holds for (bidirectional class WS, B or S, or category Zs).
bool is_python_space(char32_t code_point);

/// What \w of Python's re matches in a str, but for the underscore: letters and numbers.
bool is_python_alphanumeric(char32_t code_point);

/// str.split(): the words between runs of spaces.
std::vector<std::string_view> split_at_spaces(std::string_view text);

}  // namespace bertha::cpython
