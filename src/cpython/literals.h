#pragma once

// Numbers and texts as CPython 3 writes them, for files that must equal those of Python programs
// byte for byte.

#include <string>
#include <string_view>

namespace bertha::cpython {

/// The shortest decimal that converts back to `value`, as repr(float) gives: 0.0001, 1e-05, 1e+16,
/// nan.
std::string repr_float(double value);

/// `text` as repr(str) gives: in single quotes, or in double quotes if it contains only single
/// quotes.
std::string repr_str(std::string_view text);

/// `text` as json.dumps gives: in double quotes, ASCII only. A byte that is not UTF-8 becomes
/// \udc80 to \udcff, which is how Python represents such bytes of a command line.
std::string json_string(std::string_view text);

}  // namespace bertha::cpython
