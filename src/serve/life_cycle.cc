#include "serve/life_cycle.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <future>
#include <initializer_list>

#include "core/error.h"

namespace bertha::serve {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPoll = 50ms;

sigset_t watched_signals(std::initializer_list<int> numbers = {SIGTERM, SIGINT, SIGHUP}) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  return set;
}

bool asks_for_readiness(const HttpRequest& request) {
  constexpr std::array<std::string_view, 4> kReadiness = {"/", "/health", "/ping",
                                                          "/v2/health/ready"};
  if (request.method != "GET") return false;
  if (request.path == "/" && request.headers.get("Accept").find("text/html") != std::string::npos) {
    return false;
  }
  return std::ranges::find(kReadiness, request.path) != kReadiness.end() ||
         (request.path.starts_with("/v2/models/") && request.path.ends_with("/ready"));
}

void reload(HttpServer& server) {
  try {
    server.reload();
    spdlog::info("SIGHUP: keys and certificates are read again");
  } catch (const Error& error) {
    spdlog::error("SIGHUP: {}; the old ones stay", error.what());
  }
}

void log_ready(const HttpServer& server, const ModelService& service) {
  std::string names;
  for (const ModelInfo& model : service.models()) {
    names += fmt::format("{}{} ({}, {})", names.empty() ? "" : ", ", model.name,
                         task_name(model.task), model.compute);
  }
  spdlog::info("ready: {}", names);
  if (server.port() != 0) spdlog::info("page: {}/", server.address());
  notify_systemd(std::getenv("NOTIFY_SOCKET"), "READY=1");
}

/// Reports once that the models are ready. Throws why they are not.
void check_loading(const HttpServer& server, const ModelService& service,
                   const LifeOptions& options, std::future<void>& loading) {
  if (!loading.valid() || loading.wait_for(0s) != std::future_status::ready) return;
  loading.get();
  options.warmed();
  log_ready(server, service);
}

/// Waits for a signal to end.
int serve_until_asked(const SignalWatch& signals, HttpServer& server, const ModelService& service,
                      const LifeOptions& options, std::future<void>& loading) {
  while (true) {
    const int signal = signals.wait(loading.valid() ? kPoll : 1000ms);
    if (signal == SIGHUP) reload(server);
    // Before the signal is judged: a server that has said it is ready must drain.
    check_loading(server, service, options, loading);
    if (signal == SIGTERM || signal == SIGINT) return signal;
  }
}

/// Answers what is in progress. Returns whether nothing was cut.
bool drain(int signal, HttpServer& server, ModelService& service, DrainGate& gate,
           const LifeOptions& options) {
  const bool delayed = signal == SIGTERM && options.drain_delay > 0ms;
  spdlog::info("{}: the server drains; a second signal ends it at once",
               signal == SIGTERM ? "SIGTERM" : "SIGINT");
  notify_systemd(std::getenv("NOTIFY_SOCKET"), "STOPPING=1");
  gate.begin_drain();
  server.announce_drain();
  if (delayed) std::this_thread::sleep_for(options.drain_delay);
  const auto end = Clock::now() + options.grace;
  const bool answered = server.stop(options.grace);
  service.begin_drain();
  const bool computed = service.wait_drained(std::max(end, Clock::now() + kPoll));
  return answered && computed;
}

}  // namespace

DrainGate::DrainGate(Handler router, ErrorBody error_body)
    : router_(std::move(router)), error_body_(std::move(error_body)) {}

void DrainGate::handle(HttpRequest request, const Respond& respond) const {
  if (!draining_ || !asks_for_readiness(request)) return router_(std::move(request), respond);
  HttpResponse response = error_body_(503, "the server is ending", request.path);
  response.headers.set("Retry-After", "1");
  respond(std::move(response));
}

SignalWatch::SignalWatch() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int SignalWatch::wait(std::chrono::milliseconds limit) const {
  const sigset_t set = watched_signals();
  const timespec time{limit.count() / 1000, (limit.count() % 1000) * 1'000'000};
  return std::max(0, sigtimedwait(&set, nullptr, &time));
}

void SignalWatch::restore() const {
  const sigset_t set = watched_signals({SIGTERM, SIGINT});
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int run_server(const SignalWatch& signals, HttpServer& server, ModelService& service,
               DrainGate& gate, const LifeOptions& options) {
  server.start();
  spdlog::info("listening on {}; the models are loading", server.address());
  std::future<void> loading = std::async(std::launch::async, [&service] { service.load(); });
  const int signal = serve_until_asked(signals, server, service, options, loading);
  signals.restore();
  if (loading.valid()) {
    // Nothing was promised yet, and loading cannot be interrupted.
    server.stop(0ms);
    std::_Exit(0);
  }
  if (drain(signal, server, service, gate, options)) {
    spdlog::info("every request was answered");
    return 0;
  }
  spdlog::error("the grace of {} s is over: some requests were cut", options.grace / 1.0s);
  return 1;
}

void notify_systemd(const char* socket, const std::string& state) {
  if (socket == nullptr || (socket[0] != '/' && socket[0] != '@')) return;
  const std::string path = socket;
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int sender = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sender < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  ::sendto(sender, state.data(), state.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
  ::close(sender);
}

}  // namespace bertha::serve
