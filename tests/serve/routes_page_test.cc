#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "serve/routes/openapi.h"
#include "serve/routes/route_lists.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::serve {
namespace {

TEST(RoutesPage, IsThatOfTheTables) {
  EXPECT_EQ(bertha::test::read_all(bertha::test::tests_path("../docs/reference/serve-routes.md")),
            routes_page(all_routes()))
      << "bertha serve --list-routes > docs/reference/serve-routes.md";
}

TEST(OpenApi, ListsEveryRoute) {
  const Json document = Json::parse(openapi_json(all_routes(), "1.2.3"));
  EXPECT_EQ(document["openapi"], "3.1.0");
  EXPECT_EQ(document["info"]["version"], "1.2.3");
  size_t operations = 0;
  for (const auto& path : document["paths"]) operations += path.size();
  EXPECT_EQ(operations, all_routes().routes().size());
}

TEST(OpenApi, OwnRoutesForbidUnknownFieldsAndOthersDoNot) {
  const Json document = Json::parse(openapi_json(all_routes(), ""));
  const auto schema = [&](const char* path) {
    return document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
  };
  EXPECT_EQ(schema("/v1/answer")["additionalProperties"], false);
  EXPECT_EQ(schema("/v1/answer")["properties"]["windows"]["additionalProperties"], false);
  EXPECT_FALSE(schema("/embed").contains("additionalProperties"));
}

TEST(RouteTables, NoRouteIsThereTwice) {
  std::set<std::string> seen;
  for (const Route& route : all_routes().routes()) {
    EXPECT_TRUE(seen.insert(route.method + " " + route.path).second) << route.path;
  }
}

}  // namespace
}  // namespace bertha::serve
