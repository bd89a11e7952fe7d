#pragma once

#include <span>
#include <string>

namespace bertha::io {

/// Throws Error where a file to be written is one of `inputs`, or exists and `overwrite` is false.
/// Standard output ("-"), devices and folders, which have rules of their own, are passed over.
void check_output(const std::string& path, std::span<const std::string> inputs, bool overwrite);

}  // namespace bertha::io
