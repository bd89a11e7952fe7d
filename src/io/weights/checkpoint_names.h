#pragma once

// The names of pre-training's checkpoints in an output folder: ckpt_<number>.pt, as in the recipe.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bertha::io {

/// The number of "ckpt_<number>.pt", -1 for another name.
int64_t checkpoint_number(std::string_view name);

/// Numbers and paths of the checkpoints in `folder`, highest number first. Files with other names
/// do not count.
std::vector<std::pair<int64_t, std::string>> list_checkpoints(const std::string& folder);

}  // namespace bertha::io
