#include "runlog/work_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace bertha::runlog {
namespace {

constexpr double kSettlingSeconds = 0.3;  ///< before which a rate says little

}  // namespace

std::string format_bytes(double bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 2, kUnits[unit]);
}

WorkMeter::WorkMeter(std::string label, std::string unit, bool quiet)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      quiet_(quiet),
      line_(stderr_terminal(), write_to_stderr) {
  if (!line_.terminal().interactive) line_.wait(begin_);
}

void WorkMeter::update(int64_t done, int64_t total, int64_t before) {
  const Clock::time_point now = Clock::now();
  if (quiet_ || !line_.due(now)) return;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double a_second =
      seconds < kSettlingSeconds ? 0 : static_cast<double>(done - before) / seconds;
  std::string text = describe(static_cast<double>(done), static_cast<double>(total), a_second);
  if (line_.terminal().interactive) {
    text.resize(std::min(text.size(), static_cast<size_t>(std::max(line_.columns(), 1))));
  }
  line_.show(text, now);
}

std::string WorkMeter::amount(double value) const {
  return unit_.empty() ? format_bytes(value) : format_count(std::llround(value));
}

std::string WorkMeter::describe(double done, double total, double a_second) const {
  std::string text = fmt::format("{}  {}", label_, amount(done));
  if (total > 0) text += fmt::format(" of {}", amount(total));
  if (!unit_.empty()) text += " " + unit_;
  if (total > 0) text += fmt::format("  {:.1f} %", 100 * done / total);
  if (unit_.empty() && a_second > 0) text += fmt::format("  {}/s", format_bytes(a_second));
  if (total > 0 && a_second > 0) {
    text += fmt::format("  {} left", format_duration((total - done) / a_second));
  }
  return text;
}

}  // namespace bertha::runlog
