#include "serve/routes/route_call.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "serve/routes/field_table.h"
#include "serve/routes/route_table.h"
#include "serve/routes/route_worker.h"

namespace bertha::serve {
namespace {

using std::chrono::milliseconds;

double milliseconds_of(std::chrono::microseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

/// A header with a number of seconds, or nothing.
std::optional<milliseconds> seconds_in(std::string_view text) {
  constexpr double kMostSeconds = 86400;
  double seconds = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = fault == std::errc() && end == text.data() + text.size() && !text.empty();
  if (!whole || !std::isfinite(seconds) || seconds <= 0 || seconds > kMostSeconds) return {};
  return milliseconds(static_cast<int64_t>(std::ceil(seconds * 1000)));
}

void set_milliseconds(HttpHeaders& headers, const char* name, std::chrono::microseconds time) {
  headers.set(name, std::to_string(std::chrono::round<milliseconds>(time).count()));
}

}  // namespace

RouteCall::RouteCall(HttpRequest request, std::map<std::string, std::string> parameters,
                     const Route& route, Respond respond, const RouteEnvironment& environment)
    : request_(std::move(request)),
      parameters_(std::move(parameters)),
      route_(route),
      respond_(std::move(respond)),
      environment_(environment) {
  summary_.route = route.path;
}

std::string RouteCall::parameter(const std::string& name) const {
  const auto found = parameters_.find(name);
  return found == parameters_.end() ? "" : found->second;
}

RequestContext RouteCall::context() const {
  milliseconds timeout = environment_.options.request_timeout;
  for (const char* name : {"X-Request-Timeout", "x-stainless-read-timeout"}) {
    timeout = std::min(timeout, seconds_in(request_.headers.get(name)).value_or(timeout));
  }
  return {.arrival = request_.arrival,
          .deadline = request_.arrival + timeout,
          .priority = request_.headers.get("X-Priority") == "batch" ? Priority::kBatch
                                                                    : Priority::kInteractive,
          .cancelled = request_.cancelled};
}

void RouteCall::begin(Task task, const std::string& model, int64_t items) {
  task_ = task;
  summary_.items = items;
  summary_.model = model;
  environment_.metrics.begun(task, items > 1);
  if (!model.empty()) return;
  for (const ModelInfo& info : service().models()) {
    const bool does = info.task == task || (task == Task::kClassify && info.task == Task::kRerank);
    if (!does) continue;
    summary_.model = info.name;
    if (info.task == task) return;
  }
}

void RouteCall::finish(HttpResponse response, const Work& work) {
  const auto total = std::chrono::steady_clock::now() - request_.arrival;
  summary_.windows = work.windows;
  summary_.tokens = work.tokens;
  summary_.tokenize_ms = milliseconds_of(work.tokenize);
  summary_.queue_ms = milliseconds_of(work.queue);
  summary_.compute_ms = milliseconds_of(work.compute);
  HttpHeaders& headers = response.headers;
  headers.set("x-compute-type", "cpu");
  headers.set("x-compute-characters", std::to_string(work.characters));
  headers.set("x-compute-tokens", std::to_string(work.tokens));
  set_milliseconds(headers, "x-compute-time", work.tokenize + work.queue + work.compute);
  set_milliseconds(headers, "x-tokenization-time", work.tokenize);
  set_milliseconds(headers, "x-queue-time", work.queue);
  set_milliseconds(headers, "x-inference-time", work.compute);
  set_milliseconds(headers, "x-total-time",
                   std::chrono::duration_cast<std::chrono::microseconds>(total));
  if (work.truncated > 0) headers.set("x-truncated", std::to_string(work.truncated));
  if (task_) environment_.metrics.succeeded(*task_, summary_.items > 1, work, total);
  reply(std::move(response));
}

void RouteCall::reply(HttpResponse response) {
  response.summary = summary_;
  respond_(std::move(response));
}

void RouteCall::reply_json(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  reply(std::move(response));
}

void RouteCall::fail(const ServeError& error) {
  if (task_) environment_.metrics.failed(error.kind);
  reply(error_response(route_.dialect, error));
}

void RouteCall::guard(const std::function<void()>& part) {
  try {
    part();
  } catch (const RouteFailure& failure) {
    fail(failure.error);
  } catch (const JsonError& error) {
    reply(error_response(route_.dialect, 400, error.what()));
  } catch (const FieldError& error) {
    fail({.kind = ErrorKind::kInvalid, .message = error.what(), .field = error.field()});
  } catch (const NotFinite& error) {
    spdlog::error("request {}: {}", request_.request_id, error.what());
    fail({.kind = ErrorKind::kInternal, .message = error.what()});
  } catch (const std::exception& error) {
    spdlog::error("request {}: {}", request_.request_id, error.what());
    fail({.kind = ErrorKind::kInternal,
          .message = "an error inside the server; its log names it under the request's id"});
  }
}

void run_or_post(const CallRef& call, bool is_long, std::function<void()> part) {
  if (!is_long) return call->guard(part);
  call->environment().worker.post([call, part = std::move(part)] { call->guard(part); });
}

std::vector<ModelInfo> loaded_models(const RouteEnvironment& environment) {
  std::vector<ModelInfo> models = environment.service.models();
  if (!models.empty()) return models;
  if (environment.service.state() == ServiceState::kFailed) {
    throw RouteFailure({.kind = ErrorKind::kInternal, .message = environment.service.failure()});
  }
  throw RouteFailure({.kind = ErrorKind::kLoading,
                      .message = "the models are loading",
                      .retry_after = milliseconds(1000)});
}

ModelInfo find_served(const RouteEnvironment& environment, std::string_view name) {
  std::vector<ModelInfo> models = loaded_models(environment);
  std::string names;
  for (ModelInfo& model : models) {
    if (name.empty() || model.name == name) return std::move(model);
    names += (names.empty() ? "" : ", ") + model.name;
  }
  throw RouteFailure(
      {.kind = ErrorKind::kUnknownModel,
       .message = fmt::format("no model is named \"{}\"; there are: {}", shown_name(name), names),
       .field = "model"});
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void append_usage(JsonWriter& json, const Work& work) {
  json.begin_object().key("prompt_tokens").whole(work.tokens);
  json.key("total_tokens").whole(work.tokens).end_object();
}

}  // namespace bertha::serve
