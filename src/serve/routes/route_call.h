#pragma once

// A request on its way through a route: who asked, what the service needs to know about it, and the
// answer, which is given once, from any thread.

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http/http_message.h"
#include "serve/inference_service.h"
#include "serve/routes/error_bodies.h"
#include "serve/routes/json_writer.h"
#include "serve/routes/task_metrics.h"
#include "serve/serve_error.h"

namespace bertha::serve {

class RouteCall;
class RouteWorker;
struct Route;
using CallRef = std::shared_ptr<RouteCall>;

struct RouterOptions {
  std::chrono::milliseconds request_timeout{30'000};  ///< a client may ask for less
  bool page = true;                                   ///< serve the page at /
  bool accept_token_ids = false;                      ///< on the routes of OpenAI, too
  std::string version{};                              ///< of the program
};

/// Thrown by a route that cannot go on.
struct RouteFailure : std::exception {
  explicit RouteFailure(ServeError why) : error(std::move(why)) {}
  const char* what() const noexcept override { return error.message.c_str(); }
  ServeError error;
};

/// What all calls share. The service outlives it.
struct RouteEnvironment {
  InferenceService& service;
  TaskMetrics& metrics;
  RouteWorker& worker;
  const RouterOptions& options;
};

class RouteCall : public std::enable_shared_from_this<RouteCall> {
 public:
  /// `environment` and `route` outlive the call.
  RouteCall(HttpRequest request, std::map<std::string, std::string> parameters, const Route& route,
            Respond respond, const RouteEnvironment& environment);

  const HttpRequest& request() const { return request_; }
  const Route& route() const { return route_; }
  const RouteEnvironment& environment() const { return environment_; }
  InferenceService& service() const { return environment_.service; }
  /// The segment of the path that stands in the place of {name}, or an empty text.
  std::string parameter(const std::string& name) const;
  std::string header(std::string_view name) const {
    return std::string(request_.headers.get(name));
  }

  /// Deadline and priority as the headers say: X-Request-Timeout and x-stainless-read-timeout in
  /// seconds, X-Priority: interactive or batch.
  RequestContext context() const;

  /// Says what is asked, before the service is called. `model` is the name in the request, which
  /// may be empty; the name in the answer is model(). Counts the request in the metrics.
  void begin(Task task, const std::string& model, int64_t items);
  const std::string& model() const { return summary_.model; }

  /// Answers with 200 and the figures of the work in headers.
  void finish(HttpResponse response, const Work& work);
  void reply(HttpResponse response);
  void reply_json(std::string body);
  void fail(const ServeError& error);
  /// Runs a part of the route; an exception becomes the answer.
  void guard(const std::function<void()>& part);

 private:
  void count_failure(const ServeError& error);

  HttpRequest request_;
  std::map<std::string, std::string> parameters_;
  const Route& route_;
  Respond respond_;
  const RouteEnvironment& environment_;
  RequestSummary summary_;
  std::optional<Task> task_;
};

/// Runs `part` now if it is short, else on the worker's thread, so that neither the lane nor the
/// I/O thread waits for it.
void run_or_post(const CallRef& call, bool is_long, std::function<void()> part);

/// A callback for the service. `format` makes the answer of the result: a body or an HttpResponse.
/// `items` says how much there is to write.
template <typename T, typename Format>
Callback<T> answer_with(const CallRef& call, int64_t items, Format format) {
  constexpr int64_t kMostInline = 8;
  return [call, items, format = std::move(format)](Result<T> result) {
    if (!result.ok()) return call->fail(result.error());
    const auto value = std::make_shared<T>(std::move(result.value()));
    run_or_post(call, items > kMostInline, [call, format, value] {
      if constexpr (std::convertible_to<decltype(format(*value)), std::string>) {
        HttpResponse response;
        response.body = format(*value);
        call->finish(std::move(response), value->work);
      } else {
        call->finish(format(*value), value->work);
      }
    });
  };
}

/// The models that are loaded. Throws RouteFailure while there are none.
std::vector<ModelInfo> loaded_models(const RouteEnvironment& environment);
/// The model of this name; of an empty name the first. Throws RouteFailure.
ModelInfo find_served(const RouteEnvironment& environment, std::string_view name);

/// Seconds of the system's clock since 1970.
int64_t unix_seconds();

/// {"prompt_tokens":n,"total_tokens":n}
void append_usage(JsonWriter& json, const Work& work);

}  // namespace bertha::serve
