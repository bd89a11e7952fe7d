#include "runlog/training_progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runlog/quantity_format.h"

namespace bertha::runlog {

namespace {

constexpr double kDecaySeconds = 20;
constexpr int kDefaultColumns = 80;

/// A bar of 24 columns where the terminal is wide, of 8 where it is narrow.
int bar_columns(const Terminal& terminal) {
  const int columns = terminal.columns ? terminal.columns() : kDefaultColumns;
  return std::clamp((columns - 60) / 2, 8, 24);
}

StatusPart bar(double fraction, const Terminal& terminal, int drop_order) {
  const int columns = bar_columns(terminal);
  const int filled = std::clamp(static_cast<int>(fraction * columns), 0, columns);
  std::string done;
  std::string open;
  for (int i = 0; i < filled; ++i) done += terminal.unicode ? "━" : "#";
  for (int i = filled; i < columns; ++i) open += terminal.unicode ? "─" : ".";
  if (terminal.color) done = "\x1b[36m" + done + "\x1b[0m";
  if (terminal.color) open = "\x1b[2m" + open + "\x1b[0m";
  return {done + open, drop_order, columns};
}

double fraction_done(const TrainingStatus& status) {
  if (status.total_steps <= 0) return 0;
  return static_cast<double>(status.step) / static_cast<double>(status.total_steps);
}

}  // namespace

std::vector<StatusPart> terminal_parts(const TrainingStatus& status, const Terminal& terminal) {
  const double fraction = fraction_done(status);
  std::vector<StatusPart> parts;
  parts.emplace_back(status.label, 3);
  parts.push_back(bar(fraction, terminal, 6));
  parts.emplace_back(format_count(status.step) + "/" + format_count(status.total_steps), 0);
  parts.emplace_back(fmt::format("{:.1f} %", 100 * fraction), 7);
  parts.emplace_back(fmt::format("loss {:.3f}", status.loss), 0);
  if (status.rate > 0) parts.emplace_back(fmt::format("lr {:.1e}", status.rate), 8);
  if (status.tokens_per_second > 0) {
    parts.emplace_back(format_rate(status.tokens_per_second) + " tokens/s", 4);
    parts.emplace_back(format_rate(status.sequences_per_second) + " seq/s", 9);
  }
  if (status.seconds_left >= 0) {
    parts.emplace_back(format_duration(status.seconds_left) + " left", 2);
  }
  if (!status.evaluation.empty()) parts.emplace_back(status.evaluation, 5);
  return parts;
}

std::string plain_line(const TrainingStatus& status) {
  std::string line =
      fmt::format("{}: step {} of {} ({:.1f} %), loss {:.4f}", status.label, status.step,
                  status.total_steps, 100 * fraction_done(status), status.loss);
  if (status.tokens_per_second > 0) {
    line += fmt::format(", {:.0f} tokens/s, {:.1f} sequences/s", status.tokens_per_second,
                        status.sequences_per_second);
  }
  if (status.seconds_left >= 0) {
    line += fmt::format(", {} left", format_duration(status.seconds_left));
  }
  return line;
}

TrainingProgress::TrainingProgress(std::string label, int64_t first_step, int64_t total_steps,
                                   StatusLine line, SteadyClock clock)
    : line_(std::move(line)), clock_(std::move(clock)), last_update_(clock_()) {
  status_.label = std::move(label);
  status_.step = first_step;
  status_.total_steps = total_steps;
}

void TrainingProgress::update(const StepStatus& step) {
  const SteadyTime now = clock_();
  const double seconds = seconds_between(last_update_, now);
  const double keep = std::exp(-seconds / kDecaySeconds);
  last_update_ = now;
  seconds_ = keep * seconds_ + seconds;
  steps_ = keep * steps_ + static_cast<double>(step.step - status_.step);
  tokens_ = keep * tokens_ + static_cast<double>(step.tokens);
  sequences_ = keep * sequences_ + static_cast<double>(step.sequences);
  status_.step = step.step;
  status_.loss = step.loss;
  status_.rate = step.rate;
  if (seconds_ > 0 && steps_ > 0) {
    status_.tokens_per_second = tokens_ / seconds_;
    status_.sequences_per_second = sequences_ / seconds_;
    status_.seconds_left = static_cast<double>(status_.total_steps - step.step) * seconds_ / steps_;
  }
  if (line_.due(now)) show();
}

void TrainingProgress::finish() {
  if (shown_step_ < 0) return;
  if (shown_step_ < status_.step || line_.terminal().interactive) show();
  line_.finish();
}

void TrainingProgress::show() {
  shown_step_ = status_.step;
  const Terminal& terminal = line_.terminal();
  if (terminal.interactive) {
    line_.show(terminal_parts(status_, terminal), last_update_);
  } else {
    line_.show({{plain_line(status_), 0}}, last_update_);
  }
}

}  // namespace bertha::runlog
