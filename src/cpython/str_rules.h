#pragma once

// Methods of Python's str, for files and scores that Python programs define.

#include <string_view>
#include <vector>

namespace bertha::cpython {

/// True for the code points for which str.isspace() is true (bidirectional class WS, B or S, or
/// category Zs).
bool is_python_space(char32_t code_point);

/// True for the letters and numbers that \w of Python's re matches in a str (\w without the
/// underscore).
bool is_python_alphanumeric(char32_t code_point);

/// str.split(): the words between runs of white space.
std::vector<std::string_view> split_at_spaces(std::string_view text);

}  // namespace bertha::cpython
