#pragma once

// Words for the schemas of answers (JSON Schema 2020-12, as OpenAPI 3.1 takes it).

#include <initializer_list>
#include <string>
#include <utility>

#include "serve/routes/request_json.h"

namespace bertha::serve::schema {

inline Json string() {
  return {{"type", "string"}};
}
inline Json number() {
  return {{"type", "number"}};
}
inline Json whole() {
  return {{"type", "integer"}};
}
inline Json boolean() {
  return {{"type", "boolean"}};
}
inline Json array(Json of) {
  return {{"type", "array"}, {"items", std::move(of)}};
}
inline Json any_of(std::initializer_list<Json> schemas) {
  return {{"anyOf", Json::array_t(schemas)}};
}
/// An object that has all these members and may have more.
inline Json object(std::initializer_list<std::pair<std::string, Json>> members) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const auto& [name, type] : members) {
    properties[name] = type;
    required.push_back(name);
  }
  return {
      {"type", "object"}, {"properties", std::move(properties)}, {"required", std::move(required)}};
}

}  // namespace bertha::serve::schema
