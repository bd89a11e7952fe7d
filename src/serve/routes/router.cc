#include "serve/routes/router.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/strings.h"
#include "serve/routes/route_lists.h"
#include "serve/routes/route_worker.h"

namespace bertha::serve {
namespace {

/// Larger bodies are parsed on the worker: JSON takes 10 ns a byte.
constexpr size_t kMostInlineBytes = 64 << 10;

using Parameters = std::map<std::string, std::string>;

/// Whether the path fits the route's pattern; fills the parameters.
bool matches(const std::vector<std::string_view>& pattern,
             const std::vector<std::string_view>& path, Parameters& parameters) {
  if (pattern.size() != path.size()) return false;
  parameters.clear();
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (!pattern[i].starts_with('{')) {
      if (pattern[i] != path[i]) return false;
      continue;
    }
    std::string value;
    if (path[i].empty() || !percent_decode(path[i], value)) return false;
    parameters[std::string(pattern[i].substr(1, pattern[i].size() - 2))] = std::move(value);
  }
  return true;
}

bool is_json(std::string_view content_type) {
  const std::string type = lower_ascii(content_type.substr(0, content_type.find(';')));
  const std::string bare = type.substr(0, type.find_last_not_of(' ') + 1);
  return bare.empty() || bare == "application/json" || bare == "text/json" ||
         bare.ends_with("+json");
}

/// Why the body is not read, or empty.
std::string media_fault(const HttpRequest& request) {
  if (request.headers.find("Content-Encoding") != nullptr &&
      request.headers.get("Content-Encoding") != "identity") {
    return "bodies must not be compressed";
  }
  const bool binary = request.headers.find("Inference-Header-Content-Length") != nullptr;
  if (binary || is_json(request.headers.get("Content-Type"))) return "";
  return "the body must be JSON, with the header `Content-Type: application/json`";
}

class Router {
 public:
  Router(InferenceService& service, Metrics& metrics, const RouterOptions& options)
      : options_(options),
        task_metrics_(metrics, service),
        environment_{service, task_metrics_, worker_, options_} {
    for (const Route& route : all_routes().routes()) {
      if (route.path.find('{') == std::string::npos) {
        fixed_[route.path].push_back(&route);
      } else {
        patterns_.push_back({&route, path_segments(route.path)});
      }
    }
  }

  void handle(HttpRequest request, Respond respond) const {
    Parameters parameters;
    std::vector<std::string> allowed;
    const Route* route = find(request, parameters, allowed);
    if (route == nullptr) return respond(not_found(request, allowed));
    const auto call = std::make_shared<RouteCall>(std::move(request), std::move(parameters), *route,
                                                  std::move(respond), environment_);
    if (route->method == "POST") {
      const std::string fault = media_fault(call->request());
      if (!fault.empty()) return call->reply(error_response(route->dialect, 415, fault));
    }
    const bool is_long = call->request().body.size() > kMostInlineBytes;
    run_or_post(call, is_long, [call, route] { route->run(call); });
  }

 private:
  struct Pattern {
    const Route* route;
    std::vector<std::string_view> segments;
  };

  /// The route of a request; else the methods that its path has.
  const Route* find(const HttpRequest& request, Parameters& parameters,
                    std::vector<std::string>& allowed) const {
    const std::string& method = request.method == "HEAD" ? kGet : request.method;
    if (const auto found = fixed_.find(request.path); found != fixed_.end()) {
      for (const Route* route : found->second) {
        if (route->method == method) return route;
        allowed.push_back(route->method);
      }
      return nullptr;
    }
    if (!request.path.starts_with('/')) return nullptr;
    const std::vector<std::string_view> segments = path_segments(request.path);
    for (const Pattern& pattern : patterns_) {
      if (!matches(pattern.segments, segments, parameters)) continue;
      if (pattern.route->method == method) return pattern.route;
      allowed.push_back(pattern.route->method);
    }
    return nullptr;
  }

  static HttpResponse not_found(const HttpRequest& request, std::vector<std::string>& allowed) {
    const Dialect dialect = dialect_of(request.path);
    if (allowed.empty()) {
      return error_response(dialect, 404,
                            fmt::format("there is no route {}; GET /openapi.json lists all",
                                        shown_name(request.path)));
    }
    if (std::ranges::find(allowed, kGet) != allowed.end()) allowed.push_back("HEAD");
    HttpResponse response = error_response(
        dialect, 405, fmt::format("{} takes {}", shown_name(request.path), join(allowed, ", ")));
    response.headers.set("Allow", join(allowed, ", "));
    return response;
  }

  inline static const std::string kGet = "GET";

  RouterOptions options_;
  TaskMetrics task_metrics_;
  mutable RouteWorker worker_;
  RouteEnvironment environment_;
  std::unordered_map<std::string, std::vector<const Route*>> fixed_;
  std::vector<Pattern> patterns_;
};

}  // namespace

const RouteTable& all_routes() {
  static const RouteTable kTable = [] {
    RouteTable table;
    add_own_routes(table);
    add_tei_routes(table);
    add_openai_routes(table);
    add_rerank_routes(table);
    add_hugging_face_routes(table);
    add_kserve_routes(table);
    add_server_routes(table);
    return table;
  }();
  return kTable;
}

Handler make_router(InferenceService& service, Metrics& metrics, const RouterOptions& options) {
  const auto router = std::make_shared<const Router>(service, metrics, options);
  return [router](HttpRequest request, const Respond& respond) {
    router->handle(std::move(request), respond);
  };
}

HttpResponse route_error(int status, std::string_view message, std::string_view path) {
  return error_response(dialect_of(path), status, message);
}

}  // namespace bertha::serve
