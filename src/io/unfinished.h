#pragma once

// The files and folders of this process that have a temporary name, so that a program that must end
// at once removes them. Nothing here allocates, locks or throws.

#include <string>

namespace bertha::io {

/// `path` must stay where it is until it is forgotten. Of very many, some are not remembered.
void remember_unfinished(const std::string& path);
void forget_unfinished(const std::string& path);

/// Removes all that are remembered.
void remove_unfinished();

/// Removes a file, or a folder with what is below it. What cannot be removed stays.
void remove_tree(const char* path);

}  // namespace bertha::io
