#include "serve/http/connection.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "core/strings.h"
#include "serve/http/request_policy.h"

namespace bertha::serve {
namespace {

constexpr size_t kMostLingered = 64 << 10;
constexpr int kClientGone = 499;  // as nginx logs it
constexpr std::array kRefusals = {400, 401, 408, 411, 413, 414, 415, 417, 431, 501, 503, 505};

/// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), size};
}

bool has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

/// A field without what would end its line.
void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') head += c;
  }
  head += "\r\n";
}

std::string response_head(const HttpResponse& response, int minor_version, bool last) {
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) append_field(head, name, value);
  if (has_body(response.status)) {
    if (!response.content_type.empty()) append_field(head, "Content-Type", response.content_type);
    append_field(head, "Content-Length", std::to_string(response.body.size()));
  }
  append_field(head, "Date", http_date());
  if (last) {
    append_field(head, "Connection", "close");
  } else if (minor_version == 0) {
    append_field(head, "Connection", "keep-alive");
  }
  return head + "\r\n";
}

}  // namespace

HttpMetrics::HttpMetrics(Metrics& metrics)
    : connections(metrics.counter("bertha_http_connections_total", "Connections accepted.")),
      metrics_(metrics),
      request_bytes_(metrics.counter("bertha_http_request_bytes_total",
                                     "Bytes of request bodies that reached a handler.")),
      answer_bytes_(metrics.counter("bertha_http_answer_bytes_total", "Bytes of answers' bodies.")),
      seconds_(metrics.histogram("bertha_http_request_seconds",
                                 "From the complete header to the last byte written.",
                                 seconds_buckets())) {
  for (const int code : kRefusals) {
    metrics.counter("bertha_http_refused_total", "Requests that reached no handler, by status.",
                    {{"code", std::to_string(code)}});
  }
  metrics.counter("bertha_http_client_gone_total",
                  "Requests whose client went away before the answer.");
}

void HttpMetrics::count(const AccessRecord& record, bool refused) {
  const std::string code = std::to_string(record.status);
  if (refused) {
    metrics_.counter("bertha_http_refused_total", "", {{"code", code}}).add();
    return;
  }
  request_bytes_.add(static_cast<double>(record.body_bytes));
  answer_bytes_.add(static_cast<double>(record.answer_bytes));
  seconds_.observe(record.total_ms * 1e-3);
  if (record.status == kClientGone) metrics_.counter("bertha_http_client_gone_total", "").add();
  if (!record.summary.route.empty()) {
    metrics_
        .counter("bertha_requests_total", "Requests by route and status.",
                 {{"route", record.summary.route}, {"code", code}})
        .add();
  }
}

ServerState::ServerState(HttpServerOptions chosen, Handler served)
    : options(std::move(chosen)),
      handler(std::move(served)),
      own_metrics(options.metrics == nullptr ? std::make_unique<Metrics>() : nullptr),
      metrics(own_metrics == nullptr ? *options.metrics : *own_metrics) {}

std::shared_ptr<const ApiKeys> ServerState::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void ServerState::set_keys(std::shared_ptr<const ApiKeys> keys) {
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

/// Hands one answer to the loop of its connection.
class Connection::Responder {
 public:
  explicit Responder(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)),
        cancelled_(connection_->cancelled_),
        path_(connection_->reader_.head().path) {}
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder() {
    if (answered_) return;
    answer(connection_->state_->options.error_body(500, "the server made no answer", path_));
  }

  void answer(HttpResponse response) {
    if (answered_.exchange(true)) return;
    if (*cancelled_) return;
    connection_->loop_->dispatch([connection = connection_, cancelled = cancelled_,
                                  made = std::make_shared<HttpResponse>(std::move(response))] {
      if (!*cancelled) connection->on_answer(std::move(*made));
    });
  }

 private:
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<std::atomic<bool>> cancelled_;  ///< of this request
  std::string path_;
  std::atomic<bool> answered_ = false;
};

Connection::Connection(std::shared_ptr<ServerState> state, std::shared_ptr<EventLoop> loop,
                       std::unique_ptr<ByteStream> stream, std::string peer)
    : state_(std::move(state)),
      loop_(std::move(loop)),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      reader_(state_->options.limits) {}

void Connection::start(std::function<void(Connection*)> closed) {
  on_closed_ = std::move(closed);
  const HttpLimits& limits = state_->options.limits;
  enter(Phase::kHandshake, limits.handshake);
  stream_->handshake([self = shared_from_this()](bool done) {
    if (!done) return self->close();
    // A client that has connected has something to say: only between requests may it idle long.
    self->enter(Phase::kIdle, self->state_->options.limits.header);
    self->read();
  });
}

void Connection::enter(Phase phase, std::optional<std::chrono::milliseconds> limit) {
  if (phase_ == Phase::kClosed) return;
  phase_ = phase;
  entered_ = Clock::now();
  deadline_.reset();
  if (limit) deadline_ = entered_ + *limit;
}

void Connection::check_deadline(Clock::time_point now) {
  if (!deadline_ || now < *deadline_) return;
  switch (phase_) {
    case Phase::kHead:
      return refuse(408, "the header came too slowly");
    case Phase::kBody:
      return refuse(408, "the body came too slowly");
    default:
      return close();
  }
}

std::optional<Connection::Clock::time_point> Connection::idle_since() const {
  if (phase_ != Phase::kIdle || reader_.begun()) return std::nullopt;
  return entered_;
}

void Connection::close_if_idle(Clock::time_point before) {
  const auto since = idle_since();
  if (since && *since < before && !stream_->has_pending()) close();
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  end_request();
  phase_ = Phase::kClosed;
  deadline_.reset();
  stream_->close();
  count_held(0);
  --state_->connections;
  if (on_closed_) on_closed_(this);
}

void Connection::read() {
  if (reading_ || client_gone_ || phase_ == Phase::kClosed) return;
  const bool busy = phase_ == Phase::kHandling || phase_ == Phase::kWriting;
  const auto most = static_cast<size_t>(state_->options.limits.read_ahead_bytes);
  if (busy && reader_.held_bytes() >= most) return;
  reading_ = true;
  stream_->read_some(buffer_, [self = shared_from_this()](size_t bytes) { self->on_read(bytes); });
}

void Connection::on_read(size_t bytes) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (bytes == 0) return on_client_gone();
  if (phase_ == Phase::kLingering) {
    lingered_bytes_ += bytes;
    return lingered_bytes_ > kMostLingered ? close() : read();
  }
  reader_.append({buffer_.data(), bytes});
  if (phase_ == Phase::kIdle) enter(Phase::kHead, state_->options.limits.header);
  if (phase_ == Phase::kHead) return advance();
  if (phase_ == Phase::kBody) return read_body();
  count_held(body_bytes_ + static_cast<int64_t>(reader_.held_bytes()));
  read();
}

void Connection::on_client_gone() {
  client_gone_ = true;
  // What is being written may still arrive: only the other direction has ended.
  if (phase_ == Phase::kWriting) return;
  if (phase_ == Phase::kHandling) record(kClientGone, {}, 0);
  close();
}

void Connection::read_body() {
  count_held(static_cast<int64_t>(reader_.held_bytes()));
  if (state_->held_bytes > state_->options.limits.total_body_bytes) {
    return refuse(503, "the bodies in memory have reached their limit");
  }
  if (reader_.head().chunked) {
    deadline_ = body_begin_ + transfer_limit(static_cast<int64_t>(reader_.body_bytes()));
  }
  advance();
}

void Connection::advance() {
  switch (reader_.advance()) {
    case RequestReader::Event::kNeedMore:
      return read();
    case RequestReader::Event::kHead:
      return accept_head() ? begin_body() : void();
    case RequestReader::Event::kRequest:
      return hand_over();
    case RequestReader::Event::kRefused:
      return refuse(reader_.refusal().status, reader_.refusal().message);
  }
}

bool Connection::accept_head() {
  const RequestHead& head = reader_.head();
  arrival_ = Clock::now();
  request_id_ = request_id_of(head.headers);
  const auto keys = state_->keys();
  if (keys != nullptr && !is_preflight() && !state_->options.is_public(head.method, head.path) &&
      !keys->allows(ApiKeys::sent_key(head.headers))) {
    refuse(401, "an API key is needed: Authorization: Bearer KEY");
    return false;
  }
  if (state_->held_bytes + head.content_length.value_or(0) >
      state_->options.limits.total_body_bytes) {
    refuse(503, "the bodies in memory have reached their limit");
    return false;
  }
  return true;
}

bool Connection::is_preflight() const {
  const RequestHead& head = reader_.head();
  return head.method == "OPTIONS" && !state_->options.cors_origins.empty() &&
         head.headers.find("Access-Control-Request-Method") != nullptr;
}

void Connection::begin_body() {
  const RequestHead& head = reader_.head();
  const auto begin = [](Connection& self) {
    self.body_begin_ = Clock::now();
    self.enter(Phase::kBody, self.transfer_limit(self.reader_.head().content_length.value_or(0)));
    self.read_body();
  };
  if (!head.expects_continue || !head.has_body() || reader_.held_bytes() > 0) return begin(*this);
  enter(Phase::kContinue, state_->options.limits.transfer);
  stream_->write("HTTP/1.1 100 Continue\r\n\r\n", "",
                 [self = shared_from_this(), begin](bool written) {
                   if (self->phase_ != Phase::kContinue) return;
                   written ? begin(*self) : self->close();
                 });
}

std::chrono::milliseconds Connection::transfer_limit(int64_t bytes) const {
  const HttpLimits& limits = state_->options.limits;
  return limits.transfer + std::chrono::milliseconds(bytes * 1000 / limits.bytes_per_second);
}

void Connection::count_held(int64_t bytes) {
  state_->held_bytes += bytes - held_;
  held_ = bytes;
}

HttpRequest Connection::make_request() {
  const RequestHead& head = reader_.head();
  HttpRequest request;
  request.method = head.method == "HEAD" ? "GET" : head.method;
  request.path = head.path;
  request.query = parse_query(head.query).value_or(std::map<std::string, std::string>());
  request.headers = head.headers;
  request.body = reader_.take_body();
  request.peer = peer_;
  request.request_id = request_id_;
  request.arrival = arrival_;
  request.cancelled = cancelled_;
  return request;
}

void Connection::hand_over() {
  enter(Phase::kHandling, std::nullopt);
  in_progress_ = true;
  ++state_->requests;
  cancelled_ = std::make_shared<std::atomic<bool>>(false);
  HttpRequest request = make_request();
  body_bytes_ = static_cast<int64_t>(request.body.size());
  count_held(body_bytes_ + static_cast<int64_t>(reader_.held_bytes()));
  read();  // to see a client that goes away
  if (is_preflight()) {
    HttpResponse allowed;
    allowed.status = 204;
    return on_answer(std::move(allowed));
  }
  const auto responder = std::make_shared<Responder>(shared_from_this());
  const Respond respond = [responder](HttpResponse made) { responder->answer(std::move(made)); };
  try {
    state_->handler(std::move(request), respond);
  } catch (const std::exception& error) {
    spdlog::error("request {}: {}", request_id_, error.what());
    respond(state_->options.error_body(500, "the server failed; its log has the request's id",
                                       reader_.head().path));
  }
}

void Connection::on_answer(HttpResponse response) {
  if (phase_ != Phase::kHandling) return;
  const bool asked = lower_ascii(response.headers.get("Connection")) == "close";
  write(std::move(response), asked || !reader_.head().keep_alive || state_->closing);
}

void Connection::refuse(int status, const std::string& message) {
  if (phase_ == Phase::kClosed) return;
  if (request_id_.empty()) {
    request_id_ = request_id_of({});
    arrival_ = Clock::now();
  }
  refused_ = true;
  HttpResponse response = state_->options.error_body(status, message, reader_.head().path);
  if (status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  if (status == 503) response.headers.set("Retry-After", "1");
  write(std::move(response), true);
}

void Connection::write(HttpResponse response, bool last) {
  add_common_fields(response);
  const RequestHead& head = reader_.head();
  std::string text = response_head(response, head.minor_version, last);
  if (head.method == "HEAD" || !has_body(response.status)) response.body.clear();
  const auto bytes = static_cast<int64_t>(response.body.size());
  enter(Phase::kWriting, transfer_limit(bytes));
  stream_->write(std::move(text), std::move(response.body),
                 [self = shared_from_this(), status = response.status,
                  summary = std::move(response.summary), bytes, last](bool written) {
                   if (self->phase_ == Phase::kClosed && written) return;
                   self->record(written ? status : kClientGone, summary, written ? bytes : 0);
                   written ? self->on_written(last) : self->close();
                 });
}

void Connection::on_written(bool last) {
  end_request();
  if (last || client_gone_) return linger();
  reader_.next();
  request_id_.clear();
  count_held(static_cast<int64_t>(reader_.held_bytes()));
  if (reader_.begun()) {
    enter(Phase::kHead, state_->options.limits.header);
  } else {
    enter(Phase::kIdle, state_->options.limits.idle);
  }
  advance();
}

void Connection::linger() {
  if (client_gone_) return close();
  enter(Phase::kLingering, state_->options.limits.linger);
  stream_->finish_writing([self = shared_from_this()] {});
  read();
}

void Connection::add_common_fields(HttpResponse& response) const {
  response.headers.set("X-Request-Id", request_id_);
  response.headers.set("Server", "bertha");
  response.headers.remove("Connection");
  add_cors(response);
}

void Connection::add_cors(HttpResponse& response) const {
  const std::vector<std::string>& allowed = state_->options.cors_origins;
  const RequestHead& head = reader_.head();
  const std::string_view origin = head.headers.get("Origin");
  if (allowed.empty() || origin.empty()) return;
  const bool any = std::ranges::find(allowed, "*") != allowed.end();
  response.headers.add("Vary", "Origin");
  if (!any && std::ranges::find(allowed, origin) == allowed.end()) return;
  response.headers.set("Access-Control-Allow-Origin", any ? "*" : std::string(origin));
  response.headers.set("Access-Control-Expose-Headers",
                       "X-Request-Id, Retry-After, retry-after-ms, x-truncated, x-queue-time, "
                       "x-inference-time, x-total-time");
  if (!is_preflight()) return;
  response.headers.set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  const std::string_view asked = head.headers.get("Access-Control-Request-Headers");
  response.headers.set("Access-Control-Allow-Headers",
                       asked.empty() ? "Authorization, Content-Type" : std::string(asked));
  response.headers.set("Access-Control-Max-Age", "600");
}

void Connection::record(int status, const RequestSummary& summary, int64_t answer_bytes) {
  const RequestHead& head = reader_.head();
  const std::chrono::duration<double, std::milli> total = Clock::now() - arrival_;
  const AccessRecord record{request_id_, peer_,        head.method,   head.path, status,
                            body_bytes_, answer_bytes, total.count(), summary};
  state_->metrics.count(record, refused_);
  if (state_->options.access_log) state_->options.access_log(record);
}

void Connection::end_request() {
  if (!in_progress_) return;
  in_progress_ = false;
  body_bytes_ = 0;
  --state_->requests;
  if (phase_ == Phase::kHandling) *cancelled_ = true;
}

}  // namespace bertha::serve
