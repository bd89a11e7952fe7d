#include "runlog/status_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/strings.h"

namespace bertha::runlog {

namespace {

constexpr double kTerminalSeconds = 0.1;  ///< least time between two lines on a terminal
constexpr double kFileSeconds = 30;       ///< least time between two lines in a file
constexpr int kDefaultColumns = 80;

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

int stderr_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const int columns = std::atoi(environment("COLUMNS").c_str());
  return columns > 0 ? columns : kDefaultColumns;
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = lower_ascii(environment(name));
    if (value.empty()) continue;
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

int total_columns(const std::vector<StatusPart>& parts) {
  int columns = parts.empty() ? 0 : 2 * (static_cast<int>(parts.size()) - 1);
  for (const StatusPart& part : parts) columns += part.columns;
  return columns;
}

}  // namespace

Terminal stderr_terminal() {
  Terminal terminal;
  const std::string term = environment("TERM");
  terminal.interactive = ::isatty(STDERR_FILENO) == 1 && !term.empty() && term != "dumb";
  terminal.color = terminal.interactive && environment("NO_COLOR").empty();
  terminal.unicode = locale_is_utf8();
  terminal.columns = stderr_columns;
  return terminal;
}

void write_to_stderr(std::string_view text) {
  fmt::print(stderr, "{}", text);
  std::fflush(stderr);
}

StatusPart::StatusPart(std::string shown, int order)
    : text(std::move(shown)), drop_order(order), columns(static_cast<int>(text.size())) {}

StatusPart::StatusPart(std::string shown, int order, int width)
    : text(std::move(shown)), drop_order(order), columns(width) {}

std::string join_parts(const std::vector<StatusPart>& parts) {
  std::string line;
  for (const StatusPart& part : parts) line += (line.empty() ? "" : "  ") + part.text;
  return line;
}

std::string fit_to_columns(std::vector<StatusPart> parts, int columns) {
  const auto dropped_later = [](const StatusPart& a, const StatusPart& b) {
    return a.drop_order < b.drop_order;
  };
  while (parts.size() > 1 && total_columns(parts) > columns) {
    parts.erase(std::max_element(parts.begin(), parts.end(), dropped_later));
  }
  std::string line = join_parts(parts);
  if (total_columns(parts) > columns) line.resize(static_cast<size_t>(std::max(columns, 0)));
  return line;
}

StatusLine::StatusLine(Terminal terminal, Write write)
    : terminal_(std::move(terminal)), write_(std::move(write)) {}

bool StatusLine::due(SteadyTime now) const {
  const double interval = terminal_.interactive ? kTerminalSeconds : kFileSeconds;
  return !shown_once_ || seconds_between(last_shown_, now) >= interval;
}

void StatusLine::delay(SteadyTime now) {
  last_shown_ = now;
  shown_once_ = true;
}

void StatusLine::show(std::vector<StatusPart> parts, SteadyTime now) {
  delay(now);
  on_screen_ = terminal_.interactive;
  if (!terminal_.interactive) {
    write_(join_parts(parts) + "\n");
    return;
  }
  // The last column stays free: a full line makes some terminals wrap.
  const int columns = (terminal_.columns ? terminal_.columns() : kDefaultColumns) - 1;
  write_(fmt::format("\r{}\x1b[K", fit_to_columns(std::move(parts), columns)));
}

void StatusLine::clear() {
  if (on_screen_) write_("\r\x1b[K");
  on_screen_ = false;
}

void StatusLine::finish() {
  if (on_screen_) write_("\n");
  on_screen_ = false;
}

}  // namespace bertha::runlog
