#pragma once

// What a user watches while a run trains: one line that is redrawn on a terminal, a plain line now
// and then where the output goes to a file.
//
//   phase 1  ━━━━━━━━────────  512/1,000  51.2 %  loss 6.031  12.3k tokens/s  2 min 5 s left

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace bertha::runlog {

/// What the line may use. Standard error's is found by stderr_terminal().
struct Terminal {
  bool interactive = false;      ///< the line can be redrawn
  bool color = false;            ///< escape sequences for colour are welcome
  bool unicode = false;          ///< the bar may be drawn with box characters
  std::function<int()> columns;  ///< width now; asked for at each redraw
};

/// Looks at standard error and the environment: TERM, NO_COLOR, COLUMNS, the locale's character
/// set.
Terminal stderr_terminal();

/// "48 s", "2 min 5 s", "3 h 20 min", "2 d 4 h".
std::string format_duration(double seconds);
/// Short form for rates: "98.2", "950", "12.3k", "4.56M".
std::string format_rate(double per_second);
/// "7,038".
std::string format_count(int64_t count);

/// A line of standard error that says how far something is: drawn over the last one on a terminal,
/// a line now and then where the output goes to a file.
class StatusLine {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Write = std::function<void(std::string_view text)>;

  /// `write` gets text for standard error.
  StatusLine(Terminal terminal, Write write)
      : terminal_(std::move(terminal)), write_(std::move(write)) {}

  const Terminal& terminal() const { return terminal_; }
  /// Columns that a line may take on the terminal.
  int columns() const;
  /// Whether it is time for a line: the first at once, further ones 0.1 s after the last on a
  /// terminal, 30 s in a file.
  bool due(Time now) const;
  /// The first line is not due at once, but as if one had been shown now.
  void wait(Time now);
  void show(std::string_view line, Time now);
  /// Takes the line off the terminal, so that other output may follow.
  void clear();
  /// Ends the line on the terminal.
  void finish();

 private:
  Terminal terminal_;
  Write write_;
  Time last_shown_;
  bool shown_once_ = false;
  bool drawn_ = false;
};

/// Writes to standard error at once.
void write_to_stderr(std::string_view text);

/// State of a run as one line shows it.
struct ProgressState {
  std::string label;  ///< "phase 1"
  int64_t step = 0;
  int64_t total_steps = 0;
  double loss = 0;
  double tokens_per_second = 0;  ///< 0: not known yet
  double sequences_per_second = 0;
  double seconds_left = 0;  ///< negative: not known yet
};

/// The line for a terminal of so many columns: never wider; parts go, the least needed first.
std::string terminal_line(const ProgressState& state, const Terminal& terminal, int columns);
/// The line for a file, without its end.
std::string plain_line(const ProgressState& state);

class Progress {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  using Write = StatusLine::Write;

  /// `write` gets text for standard error. Rates start now, at `first_step` steps done.
  Progress(std::string label, int64_t first_step, int64_t total_steps, Terminal terminal,
           Write write, Clock clock = std::chrono::steady_clock::now);

  /// A step is done: `step` counts those of the whole phase, tokens and sequences this step's.
  void update(int64_t step, double loss, int64_t tokens, int64_t sequences);
  /// Takes the line off the terminal, so that other output may follow; the next update redraws it.
  void clear() { line_.clear(); }
  /// Shows the last state once more and ends the line.
  void finish();

 private:
  void show();

  ProgressState state_;
  StatusLine line_;
  Clock clock_;
  std::chrono::steady_clock::time_point last_update_;
  bool shown_once_ = false;
  // Sums whose older parts fade: their quotients are rates over the last kFadeSeconds or so.
  double seconds_ = 0;
  double steps_ = 0;
  double tokens_ = 0;
  double sequences_ = 0;
};

}  // namespace bertha::runlog
