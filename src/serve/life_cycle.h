#pragma once

// The life of a server: it binds at once, loads its models, serves, and on a signal drains and
// ends.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "serve/http/http_message.h"
#include "serve/http/http_server.h"
#include "serve/model_service.h"

namespace bertha::serve {

/// Before a router: while the server drains, the readiness routes answer 503, so that load
/// balancers send no more, and everything else is answered as before. The routes are /health,
/// /ping, /v2/health/ready and /v2/models/…/ready; GET / without a page is one, too.
class DrainGate {
 public:
  DrainGate(Handler router, ErrorBody error_body);
  void begin_drain() { draining_ = true; }
  void handle(HttpRequest request, const Respond& respond) const;

 private:
  Handler router_;
  ErrorBody error_body_;
  std::atomic<bool> draining_ = false;
};

/// SIGTERM, SIGINT and SIGHUP as values: from the constructor on they are blocked in this thread
/// and in those that it starts.
class SignalWatch {
 public:
  SignalWatch();
  /// The next signal, or 0 after `limit`. Other signals than these have their usual effect.
  int wait(std::chrono::milliseconds limit) const;
  /// From now on a signal to end the program does so at once.
  void restore() const;
};

struct LifeOptions {
  /// From SIGTERM to the end of accepting: a load balancer sees that readiness has ended. After
  /// SIGINT, of a user at a terminal, there is no delay.
  std::chrono::milliseconds drain_delay{5'000};
  std::chrono::milliseconds grace{20'000};  ///< for the requests in progress
  std::function<void()> warmed = [] {};     ///< called when the models are ready
};

/// Starts the server, loads the models beside it and returns after SIGTERM or SIGINT, when the
/// requests in progress are answered: the exit status, 1 if some were cut. SIGHUP reloads keys and
/// certificates. Throws the error of a model that cannot be loaded.
int run_server(const SignalWatch& signals, HttpServer& server, ModelService& service,
               DrainGate& gate, const LifeOptions& options);

/// Sends "READY=1" and the like to the service manager, if systemd has started this process.
/// `socket` is the value of NOTIFY_SOCKET, or null.
void notify_systemd(const char* socket, const std::string& state);

}  // namespace bertha::serve
