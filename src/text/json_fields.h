#pragma once

// Reads typed members of a JSON object of somebody else's file. A member that is absent or null has
// the fallback; a member of another type is an Error that names the file and the member.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace bertha::text {

/// The member, or null; `json` may be of any type.
const nlohmann::json& member(const nlohmann::json& json, const char* key);

bool bool_member(const nlohmann::json& json, const char* key, bool fallback,
                 const std::string& path);
std::string string_member(const nlohmann::json& json, const char* key, const std::string& fallback,
                          const std::string& path);
/// Also an Error for a number outside [least, most].
int64_t integer_member(const nlohmann::json& json, const char* key, int64_t fallback, int64_t least,
                       int64_t most, const std::string& path);
/// The member, an array; empty where it is absent.
const nlohmann::json& array_member(const nlohmann::json& json, const char* key,
                                   const std::string& path);

}  // namespace bertha::text
