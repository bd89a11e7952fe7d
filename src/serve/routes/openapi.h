#pragma once

// Documents about the routes, made from the tables that parse their requests.

#include <string>
#include <string_view>

#include "serve/routes/route_table.h"

namespace bertha::serve {

/// The routes as an OpenAPI 3.1 document.
std::string openapi_json(const RouteTable& table, std::string_view version);

/// The routes as Markdown: docs/reference/serve-routes.md.
std::string routes_page(const RouteTable& table);

}  // namespace bertha::serve
