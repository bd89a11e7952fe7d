#pragma once

// Counts with their nouns, as messages need them: "1 file", "2 files".

#include <cstdint>
#include <string>
#include <string_view>

namespace bertha {

/// `noun` in the singular; the plural takes "s", or "es" behind s, x and ch: "1 class", "3
/// classes".
inline std::string noun_for(int64_t count, std::string_view noun) {
  if (count == 1) return std::string(noun);
  const bool is_sibilant = noun.ends_with('s') || noun.ends_with('x') || noun.ends_with("ch");
  return std::string(noun) + (is_sibilant ? "es" : "s");
}

inline std::string counted(int64_t count, std::string_view noun) {
  return std::to_string(count) + " " + noun_for(count, noun);
}

}  // namespace bertha
