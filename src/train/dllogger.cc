#include "train/dllogger.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>
#include <type_traits>

namespace bertha::train {

namespace {

/// Digits and exponent of d.ddd·10^e, the shortest that reads back as the same double.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

Decimal shortest_decimal(double magnitude) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude,
                                    std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<size_t>(result.ptr - buffer.data()));
  const size_t mark = text.find('e');
  Decimal decimal;
  for (const char c : text.substr(0, mark)) {
    if (c != '.') decimal.digits.push_back(c);
  }
  const size_t exponent = mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + exponent, text.data() + text.size(), decimal.exponent);
  return decimal;
}

/// The decimal without an exponent: 0.0001, 12.5, 1000000.0.
std::string positional(const Decimal& decimal) {
  const auto& digits = decimal.digits;
  if (decimal.exponent < 0) {
    return "0." + std::string(static_cast<size_t>(-decimal.exponent - 1), '0') + digits;
  }
  const size_t whole = static_cast<size_t>(decimal.exponent) + 1;
  if (digits.size() <= whole) return digits + std::string(whole - digits.size(), '0') + ".0";
  return digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string exponential(const Decimal& decimal) {
  const std::string rest = decimal.digits.substr(1);
  return fmt::format("{}{}{}e{}{:02}", decimal.digits[0], rest.empty() ? "" : ".", rest,
                     decimal.exponent < 0 ? '-' : '+', std::abs(decimal.exponent));
}

/// The code point at the front of `text` and its bytes; nothing when they are not UTF-8.
struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 0;
};

std::optional<CodePoint> decode_utf8(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return CodePoint{lead, 1};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return std::nullopt;
  uint32_t value = lead & (0xffU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80U) return std::nullopt;
    value = value << 6 | (next & 0x3fU);
  }
  constexpr std::array<uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (value < kLeast[bytes] || value > 0x10ffff || surrogate) return std::nullopt;
  return CodePoint{value, bytes};
}

std::string escape_ascii(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      return c < 0x20 || c == 0x7f ? fmt::format("\\u{:04x}", static_cast<int>(c))
                                   : std::string(1, c);
  }
}

std::string escape_code_point(uint32_t value) {
  if (value < 0x80) return escape_ascii(static_cast<char>(value));
  if (value < 0x10000) return fmt::format("\\u{:04x}", value);
  const uint32_t above = value - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (above >> 10), 0xdc00 + (above & 0x3ff));
}

std::string json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return python_repr(value);
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    if (!list.empty()) list += ", ";
    list += python_json_string(text);
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
        if constexpr (std::is_same_v<T, std::string>) return python_json_string(v);
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
        if constexpr (std::is_same_v<T, double>) return python_repr(v);
        if constexpr (std::is_same_v<T, std::string>) return v;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::string list;
          for (const std::string& text : v) {
            if (!list.empty()) list += ", ";
            list += python_quoted(text);
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

double seconds_between(WallTime from, WallTime to) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(to - from);
  return static_cast<double>(microseconds.count()) / 1e6;
}

}  // namespace

std::string python_quoted(std::string_view text) {
  const bool doubled = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = doubled ? '"' : '\'';
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == '\n' || c == '\t' || c == '\r' || c == '\\') {
      quoted += escape_ascii(c);
    } else {
      if (c == quote) quoted += '\\';
      quoted += c;
    }
  }
  return quoted + quote;
}

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  const std::string sign = std::signbit(value) ? "-" : "";
  if (std::isinf(value)) return sign + "inf";
  const Decimal decimal = shortest_decimal(std::abs(value));
  const bool plain = decimal.exponent >= -4 && decimal.exponent < 16;
  return sign + (plain ? positional(decimal) : exponential(decimal));
}

std::string python_json_string(std::string_view text) {
  std::string json = "\"";
  while (!text.empty()) {
    const std::optional<CodePoint> code = decode_utf8(text);
    if (code.has_value()) {
      json += escape_code_point(code->value);
    } else {
      json += fmt::format("\\udc{:02x}", static_cast<unsigned char>(text[0]));
    }
    text.remove_prefix(code.has_value() ? code->bytes : 1);
  }
  return json + "\"";
}

DlLogger::DlLogger(const std::filesystem::path& path, AppendFile::Start start, Print print,
                   WallClock clock)
    : file_(std::make_unique<AppendFile>(path, start)),
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
  if (file_ == nullptr) return;
  const WallTime now = clock_();
  const Instant instant = split(now);
  const std::string datetime = local_datetime(instant);
  const double timestamp =
      static_cast<double>(instant.seconds) + static_cast<double>(instant.microseconds) / 1e6;
  std::string json;
  std::string printed;
  for (const auto& [name, value] : data) {
    json += fmt::format("{}{}: {}", json.empty() ? "" : ", ", python_json_string(name),
                        json_value(value));
    printed += fmt::format("{}{} : {} ", printed.empty() ? "" : " ", name, printed_value(value));
  }
  file_->write(
      fmt::format("DLLL {{\"timestamp\": \"{}\", \"datetime\": \"{}\", \"elapsedtime\": "
                  "\"{}\", \"type\": \"LOG\", \"step\": {}, \"data\": {{{}}}}}\n",
                  python_repr(timestamp), datetime, python_repr(seconds_between(start_, now)),
                  json_step, json));
  if (print_) print_(fmt::format("DLL {} - {} {}", datetime, printed_step, printed));
}

}  // namespace bertha::train
