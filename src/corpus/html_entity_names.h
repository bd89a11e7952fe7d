#pragma once

#include <string_view>

namespace bertha::corpus {

/// The named character references of HTML 5 that end with a semicolon: "name:code " or
/// "name:code+code ", with code points in hexadecimal digits.
extern const std::string_view kEntityNames;

}  // namespace bertha::corpus
