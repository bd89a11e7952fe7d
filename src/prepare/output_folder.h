#pragma once

#include <string>

namespace bertha::prepare {

/// Makes the folder and those above it, and removes the temporary files that a killed run left in
/// it. Throws Error when the folder cannot be made.
void make_output_folder(const std::string& path);

/// Removes from `folder` the files whose names have this prefix and this ending: they are of an
/// earlier run with other inputs.
void remove_old_files(const std::string& folder, const std::string& prefix,
                      const std::string& ending);

/// As io::remove_leftovers(), and logs the name of each file. "" is the current folder.
void remove_leftovers_logged(const std::string& folder);

}  // namespace bertha::prepare
