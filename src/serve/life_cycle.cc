#include "serve/life_cycle.h"

#include <algorithm>
#include <array>

namespace bertha::serve {
namespace {

bool is_live_probe(const HttpRequest& request) {
  return request.method == "GET" && request.path == "/v2/health/live";
}

bool asks_for_readiness(const HttpRequest& request) {
  constexpr std::array<std::string_view, 3> kReadiness = {"/health", "/ping", "/v2/health/ready"};
  return request.method == "GET" &&
         (std::ranges::find(kReadiness, request.path) != kReadiness.end() ||
          (request.path.starts_with("/v2/models/") && request.path.ends_with("/ready")));
}

}  // namespace

LifeCycle::LifeCycle(ErrorBody error_body) : error_body_(std::move(error_body)) {}

void LifeCycle::set_ready(Handler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::make_shared<const Handler>(std::move(handler));
  Phase loading = Phase::kLoading;
  phase_.compare_exchange_strong(loading, Phase::kReady);
}

void LifeCycle::handle(HttpRequest request, const Respond& respond) const {
  std::shared_ptr<const Handler> handler;
  {
    const std::lock_guard lock(mutex_);
    handler = handler_;
  }
  if (handler == nullptr && is_live_probe(request)) {
    HttpResponse live;
    live.body = R"({"live":true})";
    return respond(std::move(live));
  }
  if (handler == nullptr || (phase() == Phase::kDraining && asks_for_readiness(request))) {
    return respond(unavailable(request.path));
  }
  (*handler)(std::move(request), respond);
}

HttpResponse LifeCycle::unavailable(std::string_view path) const {
  const bool loading = phase() == Phase::kLoading;
  HttpResponse response =
      error_body_(503, loading ? "the models are loading" : "the server is ending", path);
  response.headers.set("Retry-After", "1");
  response.headers.set("Connection", "close");
  return response;
}

}  // namespace bertha::serve
