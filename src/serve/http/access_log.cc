#include "serve/http/access_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "serve/http/http_server.h"

namespace bertha::serve {
namespace {

/// Visible ASCII as it is, other bytes as \x??: a line stays a line.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c > 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out.empty() ? "-" : out;
}

}  // namespace

bool is_probe(const AccessRecord& record) {
  return open_without_key(record.method, record.path) && record.status < 400;
}

std::string access_line(const AccessRecord& record) {
  const RequestSummary& summary = record.summary;
  std::string line = fmt::format("{} {} {} {:.1f} ms", printable(record.method),
                                 printable(record.path), record.status, record.total_ms);
  if (!summary.model.empty()) {
    line += fmt::format(" model={} items={} windows={} tokens={} queue={:.1f} compute={:.1f}",
                        printable(summary.model), summary.items, summary.windows, summary.tokens,
                        summary.queue_ms, summary.compute_ms);
  }
  return line + fmt::format(" in={} out={} peer={} id={}", record.body_bytes, record.answer_bytes,
                            printable(record.peer), printable(record.request_id));
}

std::string access_json(const AccessRecord& record, std::chrono::system_clock::time_point now) {
  const RequestSummary& summary = record.summary;
  const auto rounded = [](double ms) { return std::round(ms * 1000) / 1000; };
  nlohmann::ordered_json line = {
      {"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                           fmt::gmtime(std::chrono::system_clock::to_time_t(now)))},
      {"id", printable(record.request_id)},
      {"peer", printable(record.peer)},
      {"method", printable(record.method)},
      {"path", printable(record.path)},
      {"route", summary.route},
      {"status", record.status},
      {"model", printable(summary.model)},
      {"items", summary.items},
      {"windows", summary.windows},
      {"tokens", summary.tokens},
      {"bytes_in", record.body_bytes},
      {"bytes_out", record.answer_bytes},
      {"tokenize_ms", rounded(summary.tokenize_ms)},
      {"queue_ms", rounded(summary.queue_ms)},
      {"compute_ms", rounded(summary.compute_ms)},
      {"total_ms", rounded(record.total_ms)},
  };
  return line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace bertha::serve
