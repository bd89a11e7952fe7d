#include "runlog/status_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "core/strings.h"

namespace bertha::runlog {

/// The text of a status line, for the terminal.
struct LineOnScreen {
  StatusLine::Write write;
  std::string text;  ///< empty: nothing is shown
};

namespace {

std::atomic<bool> lines_enabled{true};
std::mutex screen;                           ///< held while anything is printed
std::weak_ptr<LineOnScreen> line_at_bottom;  ///< the one that was shown last

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

void print_above_status_line(const std::function<void()>& write) {
  const std::lock_guard lock(screen);
  const std::shared_ptr<LineOnScreen> line = line_at_bottom.lock();
  const bool shown = line && !line->text.empty();
  if (shown) line->write("\r\x1b[K");
  write();
  if (shown) line->write(line->text);
}

void enable_status_lines(bool enabled) {
  lines_enabled = enabled;
}

StatusLine::StatusLine(Terminal terminal, Write write)
    : terminal_(std::move(terminal)),
      line_(std::make_shared<LineOnScreen>(LineOnScreen{std::move(write), ""})) {}

StatusLine::~StatusLine() {
  if (line_) finish();
}

bool StatusLine::due(SteadyTime now) const {
  if (!lines_enabled) return false;
  const double interval = terminal_.interactive ? kTerminalSeconds : kFileSeconds;
  return !shown_once_ || seconds_between(last_shown_, now) >= interval;
}

void StatusLine::delay(SteadyTime now) {
  last_shown_ = now;
  shown_once_ = true;
}

void StatusLine::show(std::vector<StatusPart> parts, SteadyTime now) {
  delay(now);
  const std::lock_guard lock(screen);
  if (!terminal_.interactive) {
    line_->write(join_parts(parts) + "\n");
    return;
  }
  // The last column stays free: a full line makes some terminals wrap.
  const int columns = (terminal_.columns ? terminal_.columns() : kDefaultColumns) - 1;
  line_->text = fmt::format("\r{}\x1b[K", fit_to_columns(std::move(parts), columns));
  line_->write(line_->text);
  line_at_bottom = line_;
}

void StatusLine::clear() {
  const std::lock_guard lock(screen);
  if (!line_->text.empty()) line_->write("\r\x1b[K");
  line_->text.clear();
}

void StatusLine::finish() {
  const std::lock_guard lock(screen);
  if (!line_->text.empty()) line_->write("\n");
  line_->text.clear();
}

}  // namespace bertha::runlog
