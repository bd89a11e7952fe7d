#include "serve/http/http_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <span>
#include <thread>
#include <unordered_map>

#include "serve/http/connection.h"

namespace bertha::serve {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 100ms;
constexpr auto kIdleBeforeItMakesRoom = 1s;
constexpr auto kQuietBeforeClosing = 250ms;
constexpr auto kMostAccepting = 200ms;  ///< in a drain
constexpr int kRefusedAtOnce = 32;
constexpr const char* kNoDescriptor =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

/// One I/O thread and the connections that live on it.
class IoThread {
 public:
  IoThread() : loop_(std::make_shared<EventLoop>()) {}

  const std::shared_ptr<EventLoop>& loop() const { return loop_; }

  /// `tick` is called beside the check of deadlines.
  void start(std::function<void()> tick) {
    thread_ = std::thread([this, tick = std::move(tick)] {
      loop_->run(kTick, [this, tick] {
        const auto now = Clock::now();
        each([now](Connection& connection) { connection.check_deadline(now); });
        if (draining_) close_idle(now);
        if (tick) tick();
      });
    });
  }

  /// From now on each connection that is idle is closed.
  void begin_drain() {
    loop_->post([this] {
      draining_ = true;
      close_idle(Clock::now());
    });
  }

  void join() {
    loop_->post([this] { each([](Connection& connection) { connection.close(); }); });
    loop_->stop();
    if (thread_.joinable()) thread_.join();
  }

  void add(const std::shared_ptr<Connection>& connection) {
    loop_->post([this, connection] {
      connections_.emplace(connection.get(), connection);
      connection->start([this](Connection* closed) { connections_.erase(closed); });
    });
  }

  /// Closes an eighth of the connections, and one at least: those that have been idle for longest,
  /// of those on which nothing has happened since `before`.
  void make_room(Clock::time_point before) {
    loop_->post([this, before] {
      std::vector<std::pair<Clock::time_point, std::shared_ptr<Connection>>> idle;
      for (const auto& [key, connection] : connections_) {
        const auto since = connection->idle_since();
        if (since && *since < before) idle.emplace_back(*since, connection);
      }
      const auto most = std::min(std::ssize(idle), std::ssize(connections_) / 8 + 1);
      std::ranges::partial_sort(idle, idle.begin() + most, {},
                                [](const auto& one) { return one.first; });
      for (const auto& [since, connection] : std::span(idle).first(static_cast<size_t>(most))) {
        connection->close_if_idle(before);
      }
    });
  }

  /// On the loop's thread. `work` may close the connection.
  void each(const std::function<void(Connection&)>& work) {
    std::vector<std::shared_ptr<Connection>> all;
    all.reserve(connections_.size());
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) work(*connection);
  }

 private:
  /// A client that has just connected or was just answered is likely to send its next request: to
  /// close then would lose it.
  void close_idle(Clock::time_point now) {
    each([before = now - kQuietBeforeClosing](Connection& connection) {
      connection.close_if_idle(before);
    });
  }

  bool draining_ = false;  ///< on the loop's thread
  std::shared_ptr<EventLoop> loop_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::thread thread_;
};

}  // namespace

bool open_without_key(std::string_view method, std::string_view path) {
  constexpr std::array<std::string_view, 8> kOpen = {
      "/",        "/health",         "/v1/health",       "/ping",
      "/metrics", "/v2/health/live", "/v2/health/ready", "/favicon.ico"};
  return (method == "GET" || method == "HEAD") &&
         (path.starts_with("/page/") || std::ranges::find(kOpen, path) != kOpen.end());
}

class HttpServer::Impl {
 public:
  Impl(HttpServerOptions options, Handler handler) {
    if (!options.is_public) options.is_public = open_without_key;
    state_ = std::make_shared<ServerState>(std::move(options), std::move(handler));
    load_secrets();
    for (int i = 0; i < std::max(1, state_->options.io_threads); ++i) {
      threads_.push_back(std::make_unique<IoThread>());
    }
    const HttpServerOptions& chosen = state_->options;
    EventLoop& loop = *threads_.front()->loop();
    listener_ = chosen.unix_path.empty()
                    ? Listener::tcp(loop, chosen.host, chosen.port)
                    : Listener::unix_socket(loop, chosen.unix_path, chosen.unix_mode);
    address_ = chosen.unix_path.empty()
                   ? fmt::format("{}://{}", tls_ == nullptr ? "http" : "https", listener_->name())
                   : "unix:" + listener_->name();
    add_gauges();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(0ms); }

  void start() {
    started_ = true;
    threads_.front()->loop()->post([this] { accept(); });
    for (size_t i = 0; i < threads_.size(); ++i) {
      threads_[i]->start(i == 0 ? std::function<void()>([this] { tick(); }) : nullptr);
    }
  }

  void announce_drain() { state_->closing = true; }

  void begin_drain() {
    announce_drain();
    if (!started_) return end_accepting(Clock::now());
    threads_.front()->loop()->post([this] { end_accepting(Clock::now() + kMostAccepting); });
    for (const auto& thread : threads_) thread->begin_drain();
  }

  bool stop(std::chrono::milliseconds grace) {
    if (stopped_) return true;
    begin_drain();
    stopped_ = true;
    const auto end = Clock::now() + grace;
    while ((accepting_ || state_->connections > 0) && Clock::now() < end) {
      std::this_thread::sleep_for(5ms);
    }
    const bool all_answered = state_->requests == 0;
    threads_.front()->loop()->post([this] { end_accepting(Clock::now()); });
    for (const auto& thread : threads_) thread->join();
    return all_answered;
  }

  void load_secrets() {
    const HttpServerOptions& chosen = state_->options;
    std::shared_ptr<const ApiKeys> keys;
    std::shared_ptr<TlsContext> tls;
    if (!chosen.key_file.empty()) keys = std::make_shared<const ApiKeys>(chosen.key_file);
    if (!chosen.tls_cert_file.empty()) {
      tls = std::make_shared<TlsContext>(chosen.tls_cert_file, chosen.tls_key_file);
    }
    state_->set_keys(std::move(keys));
    const std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
  }

  uint16_t port() const { return listener_->port(); }
  const std::string& address() const { return address_; }
  const ServerState& state() const { return *state_; }

 private:
  void add_gauges() {
    if (state_->options.metrics == nullptr) return;
    Metrics& metrics = *state_->options.metrics;
    metrics.gauge_of("bertha_http_connections", "Open connections.",
                     [state = state_] { return static_cast<double>(state->connections); });
    metrics.gauge_of("bertha_http_requests_in_progress",
                     "Requests that a handler has or whose answer is being written.",
                     [state = state_] { return static_cast<double>(state->requests); });
    metrics.gauge_of("bertha_http_body_bytes", "Bytes of request bodies in memory.",
                     [state = state_] { return static_cast<double>(state->held_bytes); });
  }

  std::shared_ptr<TlsContext> tls() const {
    const std::lock_guard lock(mutex_);
    return tls_;
  }

  void accept() {
    if (!accepting_) return;
    paused_ = state_->connections >= state_->options.limits.connections;
    if (paused_) return;
    IoThread& into = *threads_[next_++ % threads_.size()];
    listener_->accept(
        *into.loop(), [this] { return tls(); },
        [this, &into](Listener::Accepted accepted) {
          if (accepted.stream != nullptr) {
            ++state_->connections;
            state_->metrics.connections.add();
            into.add(std::make_shared<Connection>(state_, into.loop(), std::move(accepted.stream),
                                                  std::move(accepted.peer)));
          }
          if (accepted.out_of_descriptors) return refuse_waiting();
          accept();
        });
  }

  /// Takes the connections that the kernel has made already, until `end`: their requests would be
  /// lost.
  void end_accepting(Clock::time_point end) {
    if (!accepting_) return;
    const bool full = state_->connections >= state_->options.limits.connections;
    if (!full && listener_->is_awaited() && Clock::now() < end) {
      return threads_.front()->loop()->call_at(Clock::now() + 1ms,
                                               [this, end] { end_accepting(end); });
    }
    listener_->close();
    accepting_ = false;
  }

  /// Without a descriptor: answers 503 to those that wait, and tries again at the next tick.
  void refuse_waiting() {
    paused_ = true;
    for (int i = 0; i < kRefusedAtOnce && listener_->refuse_one(kNoDescriptor); ++i) {
    }
    if (Clock::now() < next_warning_) return;
    next_warning_ = Clock::now() + 1s;
    spdlog::warn("no file descriptor is left for connections: raise the limit (ulimit -n)");
  }

  /// A client that waits at the limit has a request; one whose connection is idle has none.
  void tick() {
    if (!paused_ || !accepting_) return;
    if (state_->connections >= state_->options.limits.connections && listener_->is_awaited()) {
      for (const auto& thread : threads_) thread->make_room(Clock::now() - kIdleBeforeItMakesRoom);
    }
    accept();
  }

  std::shared_ptr<ServerState> state_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  std::unique_ptr<Listener> listener_;  ///< before its loop is destroyed
  std::string address_;
  mutable std::mutex mutex_;
  std::shared_ptr<TlsContext> tls_;
  bool started_ = false;
  bool stopped_ = false;
  std::atomic<bool> accepting_ = true;  ///< the listener is open; written on the loop that accepts
  // On the loop that accepts.
  bool paused_ = false;
  size_t next_ = 0;
  Clock::time_point next_warning_;
};

HttpServer::HttpServer(HttpServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const {
  return impl_->port();
}
const std::string& HttpServer::address() const {
  return impl_->address();
}
void HttpServer::start() {
  impl_->start();
}
void HttpServer::announce_drain() {
  impl_->announce_drain();
}
void HttpServer::begin_drain() {
  impl_->begin_drain();
}
bool HttpServer::stop(std::chrono::milliseconds grace) {
  return impl_->stop(grace);
}
void HttpServer::reload() {
  impl_->load_secrets();
}
int64_t HttpServer::connections() const {
  return impl_->state().connections;
}
int64_t HttpServer::requests_in_progress() const {
  return impl_->state().requests;
}

}  // namespace bertha::serve
