#pragma once

// One client: reads requests one after the other, hands each to the handler and writes its answer.
// A connection lives on one loop; only its answers come from other threads.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "serve/http/access_log.h"
#include "serve/http/api_keys.h"
#include "serve/http/event_loop.h"
#include "serve/http/http_server.h"
#include "serve/http/request_reader.h"
#include "serve/metrics.h"

namespace bertha::serve {

/// Metrics of the transport: bertha_http_* and bertha_requests_total.
class HttpMetrics {
 public:
  explicit HttpMetrics(Metrics& metrics);
  void count(const AccessRecord& record, bool refused);

  Counter& connections;

 private:
  Metrics& metrics_;
  Counter& request_bytes_;
  Counter& answer_bytes_;
  Histogram& seconds_;
};

/// What all connections of a server share.
struct ServerState {
  ServerState(HttpServerOptions chosen, Handler served);

  const HttpServerOptions options;
  const Handler handler;
  std::unique_ptr<Metrics> own_metrics;  ///< where the options name none
  HttpMetrics metrics;
  std::atomic<int64_t> connections = 0;
  std::atomic<int64_t> requests = 0;    ///< with the handler, or being written
  std::atomic<int64_t> held_bytes = 0;  ///< of bodies
  std::atomic<bool> closing = false;    ///< answers say Connection: close

  std::shared_ptr<const ApiKeys> keys() const;
  void set_keys(std::shared_ptr<const ApiKeys> keys);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ApiKeys> keys_;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  Connection(std::shared_ptr<ServerState> state, std::shared_ptr<EventLoop> loop,
             std::unique_ptr<ByteStream> stream, std::string peer);
  ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // All on the loop's thread.

  /// `closed` is called once, when the connection has ended.
  void start(std::function<void(Connection*)> closed);
  /// Ends what takes longer than its limit.
  void check_deadline(Clock::time_point now);
  /// Since when the connection waits for the first byte of a request; nothing: it does not.
  std::optional<Clock::time_point> idle_since() const;
  /// Closes if nothing has happened since `before` and no byte of a request has reached the system.
  void close_if_idle(Clock::time_point before);
  void close();

 private:
  enum class Phase {
    kHandshake,
    kIdle,  ///< no byte of the next request yet
    kHead,
    kContinue,  ///< writing 100 Continue
    kBody,
    kHandling,
    kWriting,
    kLingering,  ///< the last answer is written
    kClosed,
  };
  class Responder;

  void enter(Phase phase, std::optional<std::chrono::milliseconds> limit);
  void read();
  void on_read(size_t bytes);
  /// Goes on with what has been read.
  void advance();
  void begin_body();
  void read_body();
  std::chrono::milliseconds transfer_limit(int64_t bytes) const;
  /// The checks between head and body. Returns whether the request goes on.
  bool accept_head();
  bool is_preflight() const;
  void count_held(int64_t bytes);

  void on_client_gone();
  void hand_over();
  HttpRequest make_request();
  void on_answer(HttpResponse response);
  void refuse(int status, const std::string& message);
  void write(HttpResponse response, bool last);
  void on_written(bool last);
  void linger();
  void add_common_fields(HttpResponse& response) const;
  void add_cors(HttpResponse& response) const;
  void record(int status, const RequestSummary& summary, int64_t answer_bytes);
  bool refused_ = false;
  void end_request();

  std::shared_ptr<ServerState> state_;
  std::shared_ptr<EventLoop> loop_;
  std::unique_ptr<ByteStream> stream_;
  const std::string peer_;
  RequestReader reader_;
  std::array<char, 16 << 10> buffer_{};

  Phase phase_ = Phase::kHandshake;
  Clock::time_point entered_;  ///< the phase
  std::optional<Clock::time_point> deadline_;
  Clock::time_point body_begin_;
  bool reading_ = false;
  bool client_gone_ = false;
  size_t lingered_bytes_ = 0;
  bool in_progress_ = false;  ///< counted in ServerState::requests
  int64_t held_ = 0;          ///< counted in ServerState::held_bytes
  int64_t body_bytes_ = 0;    ///< of the body that the handler has

  Clock::time_point arrival_;
  std::string request_id_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  std::function<void(Connection*)> on_closed_;
};

}  // namespace bertha::serve
