#pragma once

// The routes of the server: what each takes and gives, for the router, /openapi.json and the
// reference page alike.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/routes/error_bodies.h"
#include "serve/routes/field_table.h"
#include "serve/routes/route_call.h"

namespace bertha::serve {

struct Route {
  std::string method;  ///< "GET" answers HEAD, too
  std::string path;    ///< "/v2/models/{model}/infer": a name in braces takes one segment
  Dialect dialect = Dialect::kOwn;
  std::string group;    ///< heading in the reference page
  std::string summary;  ///< a sentence without its full stop; Markdown
  Json body = nullptr;  ///< schema of the request; null: it has none
  Json answer =
      nullptr;  ///< schema of the answer of status 200; null: it has no body, or is no JSON
  std::string answer_type = "application/json";
  std::function<void(const CallRef&)> run;
};

/// Makes a schema, and the schemas in it, refuse members that it does not name.
void forbid_unknown(Json& schema);

/// Splits a path at '/': {"v2", "models", "{model}"}.
std::vector<std::string_view> path_segments(std::string_view path);

class RouteTable {
 public:
  /// The routes added after this call stand under this heading and speak this dialect.
  void group(std::string name, Dialect dialect) {
    group_ = std::move(name);
    dialect_ = dialect;
  }

  Route& get(std::string path, std::string summary, Json answer,
             std::function<void(const CallRef&)> run) {
    return add("GET", std::move(path), std::move(summary), std::move(answer), std::move(run));
  }

  /// A route whose JSON body becomes a Body. Unknown fields are errors in dialect kOwn.
  template <HasFields Body>
  Route& post(const std::string& path, const std::string& summary, const Json& answer,
              void (*run)(Body, const CallRef&)) {
    const bool strict = dialect_ == Dialect::kOwn;
    Route& route = add("POST", path, summary, answer, [run, strict](const CallRef& call) {
      run(read_body<Body>(call->request().body, strict), call);
    });
    route.body = fields_of<Body>().schema();
    if (strict) forbid_unknown(route.body);
    return route;
  }

  /// A route that reads its body itself.
  Route& post(std::string path, std::string summary, Json body, Json answer,
              std::function<void(const CallRef&)> run) {
    Route& route =
        add("POST", std::move(path), std::move(summary), std::move(answer), std::move(run));
    route.body = std::move(body);
    return route;
  }

  /// The route answers at this path, too.
  void alias(const Route& of, std::string path);

  const std::vector<Route>& routes() const { return routes_; }

 private:
  Route& add(std::string method, std::string path, std::string summary, Json answer,
             std::function<void(const CallRef&)> run) {
    routes_.push_back({.method = std::move(method),
                       .path = std::move(path),
                       .dialect = dialect_,
                       .group = group_,
                       .summary = std::move(summary),
                       .answer = std::move(answer),
                       .run = std::move(run)});
    return routes_.back();
  }

  std::vector<Route> routes_;
  std::string group_;
  Dialect dialect_ = Dialect::kOwn;
};

}  // namespace bertha::serve
