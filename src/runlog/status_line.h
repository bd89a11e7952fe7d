#pragma once

// One line on standard error that says how far a run or a stage is. A terminal shows it in place:
// each line replaces the last one. A file gets a new line from time to time.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runlog/clock.h"

namespace bertha::runlog {

/// What the line may use.
struct Terminal {
  bool interactive = false;      ///< a line can be replaced
  bool color = false;            ///< escape sequences for colour are understood
  bool unicode = false;          ///< box characters can be shown
  std::function<int()> columns;  ///< the present width; read for each line
};

/// Standard error as the system and the environment describe it: TERM, NO_COLOR, COLUMNS, and the
/// character set of the locale.
Terminal stderr_terminal();

/// Writes to standard error at once.
void write_to_stderr(std::string_view text);

/// Runs `write`, which prints to the terminal, with the status line of this process taken off the
/// screen, and shows the line again after it. Without a line on the screen it only runs `write`.
/// Any thread may call it.
void print_above_status_line(const std::function<void()>& write);

/// Whether status lines are shown; they are, unless a user asks for quiet.
void enable_status_lines(bool enabled);

/// A part of a status line. Where the terminal is too narrow for all parts, those with the highest
/// drop order are left out first.
struct StatusPart {
  StatusPart(std::string shown, int order);
  /// For a text whose bytes are not its columns.
  StatusPart(std::string shown, int order, int width);

  std::string text;
  int drop_order = 0;
  int columns = 0;
};

/// The parts with two spaces between them, as many as fit `columns`. The last part that is left is
/// cut where it does not fit; it must hold plain characters.
std::string fit_to_columns(std::vector<StatusPart> parts, int columns);
/// All parts.
std::string join_parts(const std::vector<StatusPart>& parts);

class StatusLine {
 public:
  using Write = std::function<void(std::string_view text)>;

  /// `write` gets the text for standard error.
  StatusLine(Terminal terminal, Write write);
  StatusLine(StatusLine&&) = default;
  StatusLine& operator=(StatusLine&&) = delete;
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine();

  const Terminal& terminal() const { return terminal_; }
  /// Whether a line should be shown now: the first one at once, a further one 0.1 s after the last
  /// on a terminal and 30 s after it in a file.
  bool due(SteadyTime now) const;
  /// Delays the next line as if one were shown now.
  void delay(SteadyTime now);
  /// Shows the parts that fit on a terminal, all parts in a file.
  void show(std::vector<StatusPart> parts, SteadyTime now);
  /// Removes the line from the terminal.
  void clear();
  /// Ends the line, so that it stays on the terminal. The destructor does the same.
  void finish();

 private:
  Terminal terminal_;
  std::shared_ptr<struct LineOnScreen> line_;
  SteadyTime last_shown_;
  bool shown_once_ = false;
};

}  // namespace bertha::runlog
