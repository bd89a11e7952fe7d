#include "text/json_fields.h"

#include "core/error.h"
#include "io/shallow_json.h"

namespace bertha::text {

using Json = nlohmann::json;

const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : kNull;
}

bool bool_member(const Json& json, const char* key, bool fallback, const std::string& path) {
  const Json& value = member(json, key);
  if (value.is_null()) return fallback;
  if (!value.is_boolean())
    fail("{}: {} is a {}, expected true or false", path, key, value.type_name());
  return value.get<bool>();
}

std::string string_member(const Json& json, const char* key, const std::string& fallback,
                          const std::string& path) {
  const Json& value = member(json, key);
  if (value.is_null()) return fallback;
  if (!value.is_string()) fail("{}: {} is a {}, expected a string", path, key, value.type_name());
  return value.get<std::string>();
}

int64_t integer_member(const Json& json, const char* key, int64_t fallback, int64_t least,
                       int64_t most, const std::string& path) {
  const Json& value = member(json, key);
  if (value.is_null()) return fallback;
  const std::optional<int64_t> number = io::whole_number(value);
  if (number && *number >= least && *number <= most) return *number;
  fail("{}: {} is {}, expected {} to {}", path, key, value.dump(), least, most);
}

const Json& array_member(const Json& json, const char* key, const std::string& path) {
  static const Json kEmpty = Json::array();
  const Json& value = member(json, key);
  if (value.is_null()) return kEmpty;
  if (!value.is_array()) fail("{}: {} is a {}, expected a list", path, key, value.type_name());
  return value;
}

}  // namespace bertha::text
