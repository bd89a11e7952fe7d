#pragma once

#include <string>

namespace bertha::infer {

/// The page docs/reference/model-folder-keys.md: each file of a model's folder with all keys that
/// the program knows, from the tables that read these files.
std::string folder_keys_page();

}  // namespace bertha::infer
