#include "serve/routes/route_table.h"

namespace bertha::serve {

void forbid_unknown(Json& schema) {
  if (schema.contains("properties")) schema["additionalProperties"] = false;
  for (auto& part : schema) {
    if (part.is_structured()) forbid_unknown(part);
  }
}

std::vector<std::string_view> path_segments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = path.find('/');
    segments.push_back(path.substr(0, end));
    path = end == std::string_view::npos ? "" : path.substr(end);
  }
  return segments;
}

void RouteTable::alias(const Route& of, std::string path) {
  Route copy = of;
  copy.summary = fmt::format("As {} `{}`", of.method, of.path);
  copy.path = std::move(path);
  routes_.push_back(std::move(copy));
}

}  // namespace bertha::serve
