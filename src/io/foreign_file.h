#pragma once

// Names a file that is no weight file for what it is, so that the user knows what to do.

#include <string>
#include <string_view>

namespace bertha::io {

/// What a file with these contents is, with the remedy, as a phrase for messages: "a Git LFS
/// pointer, not the file itself (`git lfs pull` fetches it)". Empty when the contents say nothing.
std::string describe_foreign_file(std::string_view contents);

}  // namespace bertha::io
