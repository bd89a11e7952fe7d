#include "runlog/work_meter.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runlog/quantity_format.h"

namespace bertha::runlog {
namespace {

constexpr double kSettlingSeconds = 0.3;  ///< a rate over less time says little

}  // namespace

WorkMeter::WorkMeter(std::string label, std::string unit, bool quiet)
    : WorkMeter(std::move(label), std::move(unit), StatusLine(stderr_terminal(), write_to_stderr),
                std::chrono::steady_clock::now) {
  quiet_ = quiet;
}

WorkMeter::WorkMeter(std::string label, std::string unit, StatusLine line, SteadyClock clock)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      quiet_(false),
      line_(std::move(line)),
      clock_(std::move(clock)),
      begin_(clock_()) {
  if (!line_.terminal().interactive) line_.delay(begin_);
}

void WorkMeter::update(int64_t done, int64_t total, int64_t before) {
  const SteadyTime now = clock_();
  if (quiet_ || !line_.due(now)) return;
  const double seconds = seconds_between(begin_, now);
  const double per_second =
      seconds < kSettlingSeconds ? 0 : static_cast<double>(done - before) / seconds;
  line_.show(parts(static_cast<double>(done), static_cast<double>(total), per_second), now);
}

std::string WorkMeter::amount(double value) const {
  return unit_.empty() ? format_bytes(value) : format_count(std::llround(value));
}

std::vector<StatusPart> WorkMeter::parts(double done, double total, double per_second) const {
  const bool counts_bytes = unit_.empty();
  std::string amounts = amount(done);
  if (total > 0) amounts += " of " + amount(total);
  if (!counts_bytes) amounts += " " + unit_;
  std::vector<StatusPart> parts;
  parts.emplace_back(label_, 3);
  parts.emplace_back(amounts, 0);
  if (total > 0) parts.emplace_back(fmt::format("{:.1f} %", 100 * done / total), 1);
  if (counts_bytes && per_second > 0) parts.emplace_back(format_bytes(per_second) + "/s", 4);
  if (total > 0 && per_second > 0) {
    parts.emplace_back(format_duration((total - done) / per_second) + " left", 2);
  }
  return parts;
}

}  // namespace bertha::runlog
