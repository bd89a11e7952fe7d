#pragma once

// A client that measures a server. It is an open loop: requests start at the times of a Poisson
// process with a fixed seed, whether or not the server keeps up, and the latency counts from the
// scheduled time. A slow server so cannot slow its own measurement down (coordinated omission).

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "serve/http/event_loop.h"

namespace bertha::serve {

struct LoadOptions {
  std::string url;  ///< http://HOST:PORT/PATH
  /// Requests a second; 0: a closed loop, in which each client asks again at once, or after a
  /// refusal (429) when its Retry-After has passed.
  double rate = 0;
  int64_t connections = 64;     ///< at most; requests above wait, and their latency grows
  double seconds = 10;          ///< of requests that count
  double warm_seconds = 1;      ///< of requests before them
  double timeout_seconds = 60;  ///< for the answers after the last request
  uint64_t seed = 1;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
  std::vector<std::string> bodies{};  ///< drawn at random; none: GET
};

struct LoadReport {
  int64_t scheduled = 0;            ///< requests that count
  std::map<int, int64_t> statuses;  ///< of the answers
  int64_t not_connected = 0;        ///< no connection could be made
  int64_t broken = 0;      ///< the connection ended after the request was sent, before its answer
  int64_t unanswered = 0;  ///< at the end
  double seconds = 0;      ///< from the first to the last scheduled time
  /// Latencies of answers with status 200, and of those with 429, in ascending order.
  std::vector<double> answered_ms;
  std::vector<double> refused_ms;
  /// How far behind its schedule the client itself sent, in ascending order: an honest measurement
  /// needs a small one, unless all connections were busy.
  std::vector<double> late_ms;
};

/// The value at the quantile q in [0, 1] of an ascending list; 0 of an empty one.
double quantile_of(const std::vector<double>& ascending, double q);

/// Runs the load on this thread. Throws Error for a URL that is none.
LoadReport run_load(const LoadOptions& options);

/// One JSON object in a line.
std::string load_report_json(const LoadOptions& options, const LoadReport& report);

}  // namespace bertha::serve
