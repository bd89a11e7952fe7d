#pragma once

// A request and its answer as handlers see them. No type of the HTTP library is named here, so that
// handlers compile fast and their tests need no socket.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bertha::serve {

/// Whether two names of header fields are equal: ASCII letters compare without case.
bool same_field_name(std::string_view a, std::string_view b);

/// Header fields in their order. Lookups ignore the case of the name.
class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;

  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<Field> fields) : fields_(fields) {}

  /// The value of the first field of this name, or null.
  const std::string* find(std::string_view name) const;
  /// The value of the first field of this name, or an empty text.
  std::string_view get(std::string_view name) const;
  size_t count(std::string_view name) const;
  /// Appends a field, even if there is one of this name.
  void add(std::string name, std::string value);
  /// Replaces all fields of this name with one.
  void set(std::string name, std::string value);

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  void remove(std::string_view name);
  size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }

 private:
  std::vector<Field> fields_;
};

/// Bytes with each %XX replaced by the byte it stands for. Returns false if a % has no two
/// hexadecimal digits behind it.
bool percent_decode(std::string_view text, std::string& decoded);

/// A whole request. The transport has checked its syntax, its limits and its key.
struct HttpRequest {
  std::string method;  ///< as sent (methods are case-sensitive), but GET for HEAD
  /// Begins with '/', without the query. It is as sent: a route is compared byte for byte, so that
  /// /%6Detrics does not pass a proxy that guards /metrics. percent_decode() is for a segment that
  /// holds a name.
  std::string path;
  std::map<std::string, std::string> query;  ///< decoded; of a repeated name the last value
  HttpHeaders headers;
  std::string body;
  std::string peer;        ///< address of the client, or "unix"
  std::string request_id;  ///< X-Request-Id of the client if it is 1 to 128 safe bytes, else ours
  std::chrono::steady_clock::time_point arrival;  ///< when the header was complete
  /// Becomes true when the client has gone. Never null in a handler.
  std::shared_ptr<const std::atomic<bool>> cancelled;
};

/// What the handler knows about a request, for its line in the log. No text of a request belongs
/// here.
struct RequestSummary {
  std::string route;  ///< the pattern, as "/v1/answer"; of a fixed set: it is a label of metrics
  std::string model;
  int64_t items = 0;    ///< texts, pairs or questions
  int64_t windows = 0;  ///< sequences that the model computed
  int64_t tokens = 0;
  double tokenize_ms = 0;
  double queue_ms = 0;
  double compute_ms = 0;
};

/// The transport adds Content-Length, Date, Connection and X-Request-Id. It sends no body where
/// HTTP allows none (HEAD, 204, 304).
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  ///< empty: no Content-Type
  HttpHeaders headers = {};
  std::string body = {};
  RequestSummary summary = {};
};

/// Answers a request: from any thread, exactly once; later calls do nothing. If the last copy is
/// destroyed without a call, the client gets 500.
using Respond = std::function<void(HttpResponse)>;

/// Called on an I/O thread: it must not block. Work of more than a millisecond belongs to another
/// thread. An exception answers 500.
using Handler = std::function<void(HttpRequest, Respond)>;

/// The body of an answer that the transport or the life cycle gives itself: 401, 413, 503 and so
/// on. It gets the path, so that each API's clients find the error shape they know. Called on any
/// thread.
using ErrorBody =
    std::function<HttpResponse(int status, std::string_view message, std::string_view path)>;

/// {"error":{"message":…,"type":…,"code":status}}: for servers without a router.
HttpResponse plain_error(int status, std::string_view message, std::string_view path);

/// The reason phrase of a status, as "Not Found".
std::string_view reason_phrase(int status);

}  // namespace bertha::serve
