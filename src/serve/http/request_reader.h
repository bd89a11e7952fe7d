#pragma once

// From bytes to requests, without a socket: the parser of one connection, with the limits and the
// refusals of the policy. Bytes behind a request wait for the next one (pipelining).

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/http_limits.h"
#include "serve/http/http_message.h"

namespace bertha::serve {

/// Why a request is not served. The connection closes after the answer.
struct Refusal {
  int status = 400;
  std::string message;
};

/// What stands before the body.
struct RequestHead {
  std::string method;
  std::string path;       ///< of the target, without the query; empty before it is checked
  std::string query;      ///< as sent, without '?'
  int minor_version = 1;  ///< HTTP/1.0 or 1.1
  HttpHeaders headers;
  std::optional<int64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

class RequestReader {
 public:
  enum class Event {
    kNeedMore,  ///< append bytes
    kHead,      ///< head() is complete and checked; once a request, before its body
    kRequest,   ///< head() and body() are complete
    kRefused,   ///< see refusal(); nothing more is read
  };

  explicit RequestReader(const HttpLimits& limits);
  ~RequestReader();

  void append(std::string_view bytes);
  /// Goes on with the bytes there are. After kRequest the caller takes the body and calls next().
  Event advance();

  const RequestHead& head() const;
  const Refusal& refusal() const;
  std::string take_body();
  /// Begins the next request with the bytes that wait.
  void next();

  /// Whether a byte of the present request has arrived.
  bool begun() const;
  /// Bytes that are held: of the body, and behind the request.
  size_t held_bytes() const;
  /// Bytes of the body that have arrived.
  size_t body_bytes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bertha::serve
