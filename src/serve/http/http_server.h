#pragma once

// The transport of `bertha serve`: HTTP/1.0 and 1.1 over TCP, TLS or a unix socket. It reads whole
// requests, refuses what is malformed, too large, too slow or without a key, hands the rest to one
// handler and writes the answers in the order of the requests.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/http/http_limits.h"
#include "serve/http/http_message.h"

namespace bertha::serve {

class Metrics;
struct AccessRecord;

struct HttpServerOptions {
  std::string host = "127.0.0.1";  ///< an address or a name; "::" is IPv4 and IPv6
  uint16_t port = 8080;            ///< 0: the system chooses, see HttpServer::port()
  std::string unix_path = {};      ///< not empty: a unix socket in place of host and port
  int unix_mode = 0660;            ///< permissions of the socket
  int io_threads = 1;
  HttpLimits limits = {};

  std::string tls_cert_file = {};  ///< PEM chain; not empty: TLS 1.2 or later only
  std::string tls_key_file = {};   ///< PEM

  std::string key_file = {};  ///< API keys, one a line; empty: no key is needed
  /// Whether a request needs no key. Null: as open_without_key().
  std::function<bool(std::string_view method, std::string_view path)> is_public = {};
  /// Origins whose pages may call the server, or "*". Empty: no CORS.
  std::vector<std::string> cors_origins = {};

  ErrorBody error_body = plain_error;
  std::function<void(const AccessRecord&)> access_log = {};  ///< called on I/O threads
  Metrics* metrics = nullptr;                                ///< outlives the server
};

/// Health, metrics and the page need no key: /, /health, /v1/health, /ping, /metrics,
/// /v2/health/live, /v2/health/ready, /favicon.ico and /page/…. Only GET and HEAD.
bool open_without_key(std::string_view method, std::string_view path);

class HttpServer {
 public:
  /// Binds and listens. Throws Error that names the address, or the file of keys or certificates.
  HttpServer(HttpServerOptions options, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The TCP port that is bound; 0 for a unix socket.
  uint16_t port() const;
  /// "http://127.0.0.1:8080", "https://…" or "unix:/path".
  const std::string& address() const;

  /// Starts the I/O threads. Returns at once.
  void start();
  /// Serves on, but each answer closes its connection, so that clients go elsewhere. Any thread.
  void announce_drain();
  /// Accepts no more connections; each open one closes after the answer in progress, idle ones at
  /// once. Any thread, any number of times.
  void begin_drain();
  /// begin_drain(), waits until no request is in progress or `grace` is over, then closes all.
  /// Returns whether every accepted request was answered. Joins the I/O threads.
  bool stop(std::chrono::milliseconds grace);
  /// Reads keys and certificates again. Throws Error if a file is wrong; the old ones stay then.
  void reload();

  int64_t connections() const;           ///< open now
  int64_t requests_in_progress() const;  ///< handed to the handler and not yet written

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bertha::serve
