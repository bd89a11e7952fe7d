#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bertha {

/// The name that the user most probably meant, or an empty string when none is near. Near are names
/// at a small edit distance (Damerau 1964: an exchange of neighbours is one edit), names that
/// contain what was typed as whole words ("batch-size"), and names with these initials ("lr").
std::string nearest_name(std::string_view typed, std::span<const std::string> names);

/// "; did you mean NAME?" with `prefix` before the name, or an empty string when no name is near.
std::string suggestion(std::string_view typed, std::span<const std::string> names,
                       std::string_view prefix = "");

/// Names compare with `_` as `-`.
std::string kebab_case(std::string_view name);

}  // namespace bertha
