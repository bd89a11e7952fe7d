#include "runlog/dllogger.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <type_traits>

#include "cpython/literals.h"

namespace bertha::runlog {

namespace {

std::string json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return cpython::repr_float(value);
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    if (!list.empty()) list += ", ";
    list += cpython::json_string(text);
  }
  return "[" + list + "]";
}

std::string json_value(const LogValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) return v ? "true" : "false";
        if constexpr (std::is_same_v<T, int64_t>) return std::to_string(v);
        if constexpr (std::is_same_v<T, double>) return json_number(v);
        if constexpr (std::is_same_v<T, std::string>) return cpython::json_string(v);
        if constexpr (std::is_same_v<T, std::vector<std::string>>) return json_list(v);
      },
      value);
}

std::string printed_value(const LogValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) return v ? "True" : "False";
        if constexpr (std::is_same_v<T, int64_t>) return std::to_string(v);
        if constexpr (std::is_same_v<T, double>) return cpython::repr_float(v);
        if constexpr (std::is_same_v<T, std::string>) return v;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::string list;
          for (const std::string& text : v) {
            if (!list.empty()) list += ", ";
            list += cpython::repr_str(text);
          }
          return "[" + list + "]";
        }
      },
      value);
}

struct Instant {
  int64_t seconds = 0;       ///< since 1970, UTC
  int64_t microseconds = 0;  ///< 0 to 999,999
};

Instant split(WallTime time) {
  using std::chrono::floor;
  const auto whole = floor<std::chrono::seconds>(time);
  return {whole.time_since_epoch().count(), floor<std::chrono::microseconds>(time - whole).count()};
}

/// Local time without a zone; the microseconds are left out when they are 0, as Python's str does.
std::string local_datetime(const Instant& instant) {
  const auto seconds = static_cast<std::time_t>(instant.seconds);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::string text =
      fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", local.tm_year + 1900, local.tm_mon + 1,
                  local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
  if (instant.microseconds != 0) text += fmt::format(".{:06}", instant.microseconds);
  return text;
}

}  // namespace

DlLogger::DlLogger(const std::filesystem::path& path, Print print, WallClock clock)
    : file_(std::make_unique<AppendFile>(path)),
      print_(std::move(print)),
      clock_(std::move(clock)),
      start_(clock_()) {
  if (!file_->ends_a_line()) file_->write("\n");
}

void DlLogger::parameter(const std::string& name, const LogValue& value) {
  write("\"PARAMETER\"", "PARAMETER", {{name, value}});
}

void DlLogger::step(int64_t epoch, int64_t step, const LogData& data) {
  write(fmt::format("[{}, {}]", epoch, step),
        fmt::format("Training Epoch: {} Training Iteration: {} ", epoch, step), data);
}

void DlLogger::summary(const LogData& data) {
  write("[]", "", data);
}

void DlLogger::write(const std::string& json_step, const std::string& printed_step,
                     const LogData& data) {
  if (file_ == nullptr && !print_) return;
  const WallTime now = clock_();
  const Instant instant = split(now);
  const std::string datetime = local_datetime(instant);
  const double timestamp =
      static_cast<double>(instant.seconds) + static_cast<double>(instant.microseconds) / 1e6;
  std::string json;
  std::string printed;
  for (const auto& [name, value] : data) {
    json += fmt::format("{}{}: {}", json.empty() ? "" : ", ", cpython::json_string(name),
                        json_value(value));
    printed += fmt::format("{}{} : {} ", printed.empty() ? "" : " ", name, printed_value(value));
  }
  if (print_) print_(fmt::format("DLL {} - {} {}", datetime, printed_step, printed));
  if (file_ == nullptr) return;
  file_->write(
      fmt::format("DLLL {{\"timestamp\": \"{}\", \"datetime\": \"{}\", \"elapsedtime\": "
                  "\"{}\", \"type\": \"LOG\", \"step\": {}, \"data\": {{{}}}}}\n",
                  cpython::repr_float(timestamp), datetime,
                  cpython::repr_float(microsecond_seconds(now - start_)), json_step, json));
}

}  // namespace bertha::runlog
