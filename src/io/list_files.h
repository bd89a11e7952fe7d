#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bertha::io {

/// Paths of the regular files of `folder` whose names have this prefix and this ending, sorted.
/// Folders within it are not entered. A folder that does not exist has no files. Throws Error when
/// the folder cannot be read.
std::vector<std::string> list_files(const std::string& folder, std::string_view prefix,
                                    std::string_view ending);

}  // namespace bertha::io
