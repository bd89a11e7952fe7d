#include "runlog/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace bertha::runlog {

namespace {

constexpr double kFadeSeconds = 20;
constexpr double kTerminalSeconds = 0.1;  ///< least time between two redraws
constexpr double kPlainSeconds = 30;      ///< and between two lines of a file
constexpr int kBarColumns = 24;
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
    std::string value = environment(name);
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

/// A piece of the line. Those with a higher rank go first when the line is too wide.
struct Part {
  std::string text;
  int columns = 0;
  int rank = 0;
};

Part part(std::string text, int rank) {
  const int columns = static_cast<int>(text.size());
  return {std::move(text), columns, rank};
}

Part bar(double share, const Terminal& terminal) {
  const int filled = std::clamp(static_cast<int>(share * kBarColumns), 0, kBarColumns);
  std::string done;
  std::string open;
  for (int i = 0; i < filled; ++i) done += terminal.unicode ? "━" : "#";
  for (int i = filled; i < kBarColumns; ++i) open += terminal.unicode ? "─" : ".";
  if (terminal.color) done = "\x1b[36m" + done + "\x1b[0m";
  if (terminal.color) open = "\x1b[2m" + open + "\x1b[0m";
  return {done + open, kBarColumns, 5};
}

double share_done(const ProgressState& state) {
  if (state.total_steps <= 0) return 0;
  return static_cast<double>(state.step) / static_cast<double>(state.total_steps);
}

std::vector<Part> line_parts(const ProgressState& state, const Terminal& terminal) {
  std::vector<Part> parts;
  parts.push_back(part(state.label, 3));
  parts.push_back(bar(share_done(state), terminal));
  parts.push_back(part(format_count(state.step) + "/" + format_count(state.total_steps), 0));
  parts.push_back(part(fmt::format("{:.1f} %", 100 * share_done(state)), 6));
  parts.push_back(part(fmt::format("loss {:.3f}", state.loss), 0));
  if (state.tokens_per_second > 0) {
    parts.push_back(part(format_rate(state.tokens_per_second) + " tokens/s", 4));
    parts.push_back(part(format_rate(state.sequences_per_second) + " seq/s", 7));
  }
  if (state.seconds_left >= 0)
    parts.push_back(part(format_duration(state.seconds_left) + " left", 2));
  return parts;
}

int columns_of(const std::vector<Part>& parts) {
  int columns = parts.empty() ? 0 : 2 * (static_cast<int>(parts.size()) - 1);
  for (const Part& p : parts) columns += p.columns;
  return columns;
}

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
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

int StatusLine::columns() const {
  // The last column stays free: a full line makes some terminals wrap.
  return (terminal_.columns ? terminal_.columns() : kDefaultColumns) - 1;
}

bool StatusLine::due(Time now) const {
  const double interval = terminal_.interactive ? kTerminalSeconds : kPlainSeconds;
  return !shown_once_ || seconds_between(last_shown_, now) >= interval;
}

void StatusLine::wait(Time now) {
  last_shown_ = now;
  shown_once_ = true;
}

void StatusLine::show(std::string_view line, Time now) {
  wait(now);
  drawn_ = terminal_.interactive;
  write_(terminal_.interactive ? fmt::format("\r{}\x1b[K", line) : fmt::format("{}\n", line));
}

void StatusLine::clear() {
  if (drawn_) write_("\r\x1b[K");
  drawn_ = false;
}

void StatusLine::finish() {
  if (drawn_) write_("\n");
  drawn_ = false;
}

void write_to_stderr(std::string_view text) {
  fmt::print(stderr, "{}", text);
  std::fflush(stderr);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e12)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

std::string format_rate(double per_second) {
  double value = per_second;
  const char* unit = "";
  for (const char* next : {"k", "M", "G"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, decimals, unit);
}

std::string format_count(int64_t count) {
  std::string digits = std::to_string(count);
  const int64_t first = count < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ',');
  }
  return digits;
}

std::string terminal_line(const ProgressState& state, const Terminal& terminal, int columns) {
  std::vector<Part> parts = line_parts(state, terminal);
  const auto by_rank = [](const Part& a, const Part& b) { return a.rank < b.rank; };
  while (parts.size() > 1 && columns_of(parts) > columns) {
    parts.erase(std::max_element(parts.begin(), parts.end(), by_rank));
  }
  std::string line;
  for (const Part& p : parts) line += (line.empty() ? "" : "  ") + p.text;
  // What is left are plain characters: a terminal of a few columns gets the line's beginning.
  if (columns_of(parts) > columns) line.resize(static_cast<size_t>(std::max(columns, 0)));
  return line;
}

std::string plain_line(const ProgressState& state) {
  std::string line =
      fmt::format("{}: step {} of {} ({:.1f} %), loss {:.4f}", state.label, state.step,
                  state.total_steps, 100 * share_done(state), state.loss);
  if (state.tokens_per_second > 0) {
    line += fmt::format(", {:.0f} tokens/s, {:.1f} sequences/s", state.tokens_per_second,
                        state.sequences_per_second);
  }
  if (state.seconds_left >= 0) {
    line += fmt::format(", {} left", format_duration(state.seconds_left));
  }
  return line;
}

Progress::Progress(std::string label, int64_t first_step, int64_t total_steps, Terminal terminal,
                   Write write, Clock clock)
    : line_(std::move(terminal), std::move(write)),
      clock_(std::move(clock)),
      last_update_(clock_()) {
  state_.label = std::move(label);
  state_.step = first_step;
  state_.total_steps = total_steps;
  state_.seconds_left = -1;
}

void Progress::update(int64_t step, double loss, int64_t tokens, int64_t sequences) {
  const auto now = clock_();
  const double seconds = seconds_between(last_update_, now);
  const double keep = std::exp(-seconds / kFadeSeconds);
  last_update_ = now;
  seconds_ = keep * seconds_ + seconds;
  steps_ = keep * steps_ + static_cast<double>(step - state_.step);
  tokens_ = keep * tokens_ + static_cast<double>(tokens);
  sequences_ = keep * sequences_ + static_cast<double>(sequences);
  state_.step = step;
  state_.loss = loss;
  if (seconds_ > 0 && steps_ > 0) {
    state_.tokens_per_second = tokens_ / seconds_;
    state_.sequences_per_second = sequences_ / seconds_;
    state_.seconds_left = static_cast<double>(state_.total_steps - step) * seconds_ / steps_;
  }
  if (line_.due(now)) show();
}

void Progress::finish() {
  if (!shown_once_) return;
  show();
  line_.finish();
}

void Progress::show() {
  shown_once_ = true;
  const Terminal& terminal = line_.terminal();
  line_.show(
      terminal.interactive ? terminal_line(state_, terminal, line_.columns()) : plain_line(state_),
      last_update_);
}

}  // namespace bertha::runlog
