#pragma once

// Numbers and texts as CPython 3 writes them, for files that are compared with those of Python
// programs byte by byte.

#include <string>
#include <string_view>

namespace bertha::cpython {

/// The shortest decimal that reads back as `value`, as repr(float): 0.0001, 1e-05, 1e+16, nan.
std::string repr_float(double value);

/// `text` as repr(str): in single quotes, or in double quotes if it contains single quotes only.
std::string repr_str(std::string_view text);

/// `text` as json.dumps: in double quotes, ASCII only. A byte that is not UTF-8 is written as
/// \udc80 to \udcff, the form in which Python holds such bytes of a command line.
std::string json_string(std::string_view text);

}  // namespace bertha::cpython
