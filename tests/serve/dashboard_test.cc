// deploy/serve/grafana.json against the metrics that a server has.

#include <gtest/gtest.h>

#include <functional>
#include <regex>
#include <set>
#include <string>

#include "fake_service.h"
#include "raw_client.h"
#include "serve/http/http_server.h"
#include "serve/metrics.h"
#include "serve/routes/request_json.h"
#include "support/files.h"
#include "support/paths.h"

namespace bertha::serve {
namespace {

/// The names of series in the text of a running server that has answered a request.
std::set<std::string> names_of_a_server() {
  test::FakeService service;
  Metrics metrics;
  add_process_metrics(metrics);
  const RouterOptions router_options;
  HttpServerOptions options;
  options.port = 0;
  options.metrics = &metrics;
  HttpServer server(options, make_router(service, metrics, router_options));
  server.start();
  const auto text_of = [&] {
    bertha::test::RawClient client(server.port());
    client.send(bertha::test::get("/metrics"));
    return client.read().body;
  };
  text_of();  // series with the status of an answer begin with the first one
  const std::string text = text_of();
  server.stop(std::chrono::milliseconds(0));
  std::set<std::string> names;
  const std::regex series("(^|\n)([a-z_]+)[{ ]");
  for (std::sregex_iterator at(text.begin(), text.end(), series), end; at != end; ++at) {
    names.insert((*at)[2]);
  }
  return names;
}

/// Calls `visit` with all texts of the document that are queries of Prometheus.
void for_each_query(const Json& json, const std::function<void(const std::string&)>& visit) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      const bool query = value.is_string() && (key == "expr" || key == "definition");
      query ? visit(value.get<std::string>()) : for_each_query(value, visit);
    }
  } else if (json.is_array()) {
    for (const Json& element : json) for_each_query(element, visit);
  }
}

TEST(Dashboard, EveryMetricIsOneOfTheServer) {
  const std::set<std::string> known = names_of_a_server();
  ASSERT_TRUE(known.contains("te_request_count"));
  const std::regex metric("\\b(te|bertha|process)_[a-z_]+");
  size_t queries = 0;
  const Json dashboard =
      Json::parse(bertha::test::read_all(bertha::test::tests_path("../deploy/serve/grafana.json")));
  for_each_query(dashboard, [&](const std::string& query) {
    ++queries;
    std::sregex_iterator at(query.begin(), query.end(), metric);
    EXPECT_NE(at, std::sregex_iterator()) << query << " names no metric";
    for (; at != std::sregex_iterator(); ++at) {
      EXPECT_TRUE(known.contains(at->str())) << at->str() << " in " << query;
    }
  });
  EXPECT_GT(queries, 20U);
}

}  // namespace
}  // namespace bertha::serve
