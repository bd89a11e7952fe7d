#pragma once

// One line for each request: who, what, how long. No bodies, no queries, no keys.

#include <chrono>
#include <cstdint>
#include <string>

#include "serve/http/http_message.h"

namespace bertha::serve {

struct AccessRecord {
  std::string request_id;
  std::string peer;
  std::string method;
  std::string path;  ///< without the query
  int status = 0;    ///< 499: the client went away before the answer
  int64_t body_bytes = 0;
  int64_t answer_bytes = 0;
  double total_ms = 0;  ///< from the complete header to the last byte written
  RequestSummary summary;
};

/// Successful requests of probes, of metrics and of the page's files, which would fill a log.
bool is_probe(const AccessRecord& record);

/// "POST /v1/answer 200 12.3 ms …", without a line feed. Control characters of the path are \x??.
std::string access_line(const AccessRecord& record);
/// The same as one JSON object with the time, without a line feed.
std::string access_json(const AccessRecord& record, std::chrono::system_clock::time_point now);

}  // namespace bertha::serve
