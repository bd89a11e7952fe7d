#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace bertha::io {

/// Decompresses one block of raw Snappy (google/snappy, format_description.txt). Returns nothing
/// when the block is damaged or expands to more than `limit_bytes`.
std::optional<std::vector<char>> snappy_expand(std::string_view block, size_t limit_bytes);

}  // namespace bertha::io
