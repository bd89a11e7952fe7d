#pragma once

// The phases of a server: it binds at once and answers 503 while models load, is ready when they
// are warm, and drains before it ends.

#include <atomic>
#include <memory>
#include <mutex>

#include "serve/http/http_message.h"

namespace bertha::serve {

enum class Phase { kLoading, kReady, kDraining };

/// The handler of a server in each phase. Any thread.
class LifeCycle {
 public:
  /// `error_body` makes the 503 answers.
  explicit LifeCycle(ErrorBody error_body);

  Phase phase() const { return phase_.load(); }
  /// From now on requests go to `handler`.
  void set_ready(Handler handler);
  /// From now on readiness is 503; everything else is answered as before.
  void set_draining() { phase_ = Phase::kDraining; }

  /// While loading everything is 503 with Retry-After, except GET /v2/health/live. While draining
  /// only the readiness routes are: /health, /ping, /v2/health/ready, /v2/models/…/ready.
  void handle(HttpRequest request, const Respond& respond) const;

 private:
  HttpResponse unavailable(std::string_view path) const;

  ErrorBody error_body_;
  std::atomic<Phase> phase_ = Phase::kLoading;
  mutable std::mutex mutex_;
  std::shared_ptr<const Handler> handler_;
};

}  // namespace bertha::serve
