#include "serve/load_generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <unordered_set>

#include "core/error.h"
#include "serve/http/answer_reader.h"

namespace bertha::serve {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Target {
  std::string host;
  uint16_t port = 80;
  std::string path = "/";
};

Target parse_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) fail("{}: expected http://HOST:PORT/PATH", url);
  const std::string rest = url.substr(kScheme.size());
  Target target;
  const size_t slash = std::min(rest.find('/'), rest.size());
  if (slash < rest.size()) target.path = rest.substr(slash);
  std::string authority = rest.substr(0, slash);
  const size_t colon = authority.rfind(':');
  if (colon != std::string::npos && authority.find(']', colon) == std::string::npos) {
    const char* begin = authority.data() + colon + 1;
    const char* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(begin, end, target.port);
    if (error != std::errc() || stop != end) fail("{}: expected a port behind the colon", url);
    authority.resize(colon);
  }
  if (authority.starts_with('[')) authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) fail("{}: expected a host", url);
  target.host = authority;
  return target;
}

std::vector<std::string> request_texts(const LoadOptions& options, const Target& target) {
  std::string fields = fmt::format("Host: {}:{}\r\n", target.host, target.port);
  for (const auto& [name, value] : options.headers) {
    fields += fmt::format("{}: {}\r\n", name, value);
  }
  std::vector<std::string> texts;
  for (const std::string& body : options.bodies) {
    texts.push_back(
        fmt::format("POST {} HTTP/1.1\r\n{}Content-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
                    target.path, fields, options.content_type, body.size(), body));
  }
  if (texts.empty()) texts.push_back(fmt::format("GET {} HTTP/1.1\r\n{}\r\n", target.path, fields));
  return texts;
}

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

Clock::duration to_duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// A request that waits for a connection or for its answer.
struct Shot {
  Clock::time_point time;  ///< scheduled
  size_t text = 0;
  bool counts = false;
};

class LoadRun {
 public:
  explicit LoadRun(const LoadOptions& options)
      : options_(options),
        target_(parse_url(options.url)),
        texts_(request_texts(options, target_)),
        random_(options.seed) {}

  LoadReport run() {
    begin_ = Clock::now() + 10ms;
    measured_ = begin_ + to_duration(options_.warm_seconds);
    end_ = measured_ + to_duration(options_.seconds);
    loop_.call_at(begin_, [this] { start(); });
    loop_.run(20ms, [this] { check_end(); });
    std::ranges::sort(report_.answered_ms);
    std::ranges::sort(report_.refused_ms);
    std::ranges::sort(report_.late_ms);
    report_.seconds = options_.seconds;
    return std::move(report_);
  }

 private:
  struct Client {
    std::unique_ptr<ByteStream> stream;
    AnswerReader reader;
    std::array<char, 16 << 10> buffer{};
    Shot shot;
    bool busy = false;
    bool closed = false;
  };
  using ClientRef = std::shared_ptr<Client>;

  void start() {
    if (options_.rate > 0) return fire(begin_);
    for (int64_t i = 0; i < options_.connections; ++i) schedule(Clock::now());
  }

  /// The open loop: this request, then the next at its time.
  void fire(Clock::time_point time) {
    if (time >= end_) return;
    schedule(time);
    const double gap = -std::log1p(-std::generate_canonical<double, 53>(random_)) / options_.rate;
    const Clock::time_point next = time + to_duration(gap);
    loop_.call_at(next, [this, next] { fire(next); });
  }

  void schedule(Clock::time_point time) {
    Shot shot{time, random_() % texts_.size(), time >= measured_ && time < end_};
    if (shot.counts) ++report_.scheduled;
    ++open_;
    waiting_.push_back(shot);
    send_waiting();
  }

  void send_waiting() {
    if (ended_) return;
    while (!waiting_.empty() && !idle_.empty()) {
      const ClientRef client = idle_.back();
      idle_.pop_back();
      if (client->closed) continue;
      send(client, take());
    }
    if (!waiting_.empty() && std::ssize(live_) + connecting_ < options_.connections &&
        connecting_ < static_cast<int64_t>(waiting_.size())) {
      connect();
    }
  }

  Shot take() {
    const Shot shot = waiting_.front();
    waiting_.pop_front();
    return shot;
  }

  void connect() {
    ++connecting_;
    loop_.connect(target_.host, target_.port, [this](std::unique_ptr<ByteStream> stream) {
      --connecting_;
      if (ended_) return;
      if (stream == nullptr) return on_not_connected();
      const auto client = std::make_shared<Client>();
      client->stream = std::move(stream);
      live_.insert(client);
      idle_.push_back(client);
      read(client);
      send_waiting();
    });
  }

  void on_not_connected() {
    if (waiting_.empty()) return;
    const Shot shot = take();
    if (shot.counts) ++report_.not_connected;
    finish();
  }

  void send(const ClientRef& client, const Shot& shot) {
    client->busy = true;
    client->shot = shot;
    if (shot.counts) report_.late_ms.push_back(ms_between(shot.time, Clock::now()));
    client->stream->write(texts_[shot.text], "", [client](bool /*written*/) {});
  }

  void read(const ClientRef& client) {
    client->stream->read_some(client->buffer,
                              [this, client](size_t bytes) { on_read(client, bytes); });
  }

  void on_read(const ClientRef& client, size_t bytes) {
    if (client->closed || ended_) return;
    if (bytes == 0) return drop(client);
    client->reader.append({client->buffer.data(), bytes});
    while (const auto answer = client->reader.next()) {
      if (!client->busy) return drop(client);
      record(client->shot, answer->status);
      client->busy = false;
      finish(answer->status == 429 ? std::chrono::seconds(answer->retry_after_s) : 0s);
      if (!answer->keep_alive) return drop(client);
      idle_.push_back(client);
    }
    read(client);
    send_waiting();
  }

  void record(const Shot& shot, int status) {
    if (!shot.counts) return;
    ++report_.statuses[status];
    const double ms = ms_between(shot.time, Clock::now());
    if (status == 200) report_.answered_ms.push_back(ms);
    if (status == 429) report_.refused_ms.push_back(ms);
  }

  void drop(const ClientRef& client) {
    client->closed = true;
    client->stream->close();
    live_.erase(client);
    if (client->busy) {
      client->busy = false;
      if (client->shot.counts) ++report_.broken;
      finish();
    }
    send_waiting();
  }

  /// In the closed loop its client asks again after `pause`, or after a longer one if the server is
  /// not there.
  void finish(Clock::duration pause = 0s) {
    --open_;
    if (live_.empty()) pause = std::max<Clock::duration>(pause, 10ms);
    const Clock::time_point again = Clock::now() + pause;
    if (options_.rate > 0 || again >= end_) return;
    loop_.call_at(again, [this] { schedule(Clock::now()); });
  }

  void check_end() {
    const Clock::time_point now = Clock::now();
    if (now < end_ || (open_ > 0 && now < end_ + to_duration(options_.timeout_seconds))) return;
    if (ended_) return;
    ended_ = true;
    int64_t answered = report_.broken + report_.not_connected;
    for (const auto& [status, count] : report_.statuses) answered += count;
    report_.unanswered = report_.scheduled - answered;
    for (const ClientRef& client : live_) client->stream->close();
    loop_.stop();
  }

  const LoadOptions& options_;
  const Target target_;
  const std::vector<std::string> texts_;
  std::mt19937_64 random_;
  EventLoop loop_;
  LoadReport report_;
  Clock::time_point begin_;
  Clock::time_point measured_;
  Clock::time_point end_;
  std::deque<Shot> waiting_;
  std::vector<ClientRef> idle_;
  std::unordered_set<ClientRef> live_;
  int64_t connecting_ = 0;
  int64_t open_ = 0;  ///< scheduled and not finished
  bool ended_ = false;
};

nlohmann::ordered_json quantiles(const std::vector<double>& ascending) {
  const auto rounded = [&](double q) {
    return std::round(quantile_of(ascending, q) * 1000) / 1000;
  };
  return {{"p50", rounded(0.5)},
          {"p90", rounded(0.9)},
          {"p99", rounded(0.99)},
          {"p99.9", rounded(0.999)},
          {"max", rounded(1)}};
}

}  // namespace

double quantile_of(const std::vector<double>& ascending, double q) {
  if (ascending.empty()) return 0;
  const auto last = static_cast<double>(ascending.size() - 1);
  return ascending[static_cast<size_t>(std::ceil(q * last))];
}

LoadReport run_load(const LoadOptions& options) {
  return LoadRun(options).run();
}

std::string load_report_json(const LoadOptions& options, const LoadReport& report) {
  nlohmann::ordered_json statuses = nlohmann::ordered_json::object();
  for (const auto& [status, count] : report.statuses) statuses[std::to_string(status)] = count;
  const double answered = static_cast<double>(report.answered_ms.size());
  const nlohmann::ordered_json line = {
      {"url", options.url},
      {"rate", options.rate},
      {"connections", options.connections},
      {"seconds", report.seconds},
      {"scheduled", report.scheduled},
      {"statuses", statuses},
      {"not_connected", report.not_connected},
      {"broken", report.broken},
      {"unanswered", report.unanswered},
      {"answered_per_second", std::round(answered / report.seconds * 100) / 100},
      {"ms", quantiles(report.answered_ms)},
      {"refused_ms", quantiles(report.refused_ms)},
      {"late_ms", quantiles(report.late_ms)},
  };
  return line.dump();
}

}  // namespace bertha::serve
