#pragma once

// What a name stands for. A name that is not there is a plain answer. Where the system cannot say
// (a disk that fails, a folder without permission) these throw Error, so that a file that is there
// is never taken for one that is not.

#include <filesystem>

namespace bertha::io {

/// A file, a folder or a device; for a symbolic link, what it points to.
bool exists(const std::filesystem::path& path);
bool is_regular_file(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);

}  // namespace bertha::io
