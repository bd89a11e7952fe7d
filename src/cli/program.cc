#include <fcntl.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/command_list.h"
#include "cli/commands.h"
#include "cli/help_text.h"
#include "cli/last_resort.h"
#include "cli/message_level.h"
#include "cli/options.h"
#include "comm/launch.h"
#include "core/allowed_threads.h"
#include "core/error.h"
#include "doctor/build_info.h"
#include "doctor/crash_report.h"
#include "runlog/status_line.h"

namespace bertha::cli {
namespace {

/// The text of `bertha --help`.
std::string overview() {
  const CommandPage page = program_page();
  std::string text = page.about + "\n\nusage: bertha COMMAND [options]\n\n";
  for (const Command& command : commands()) {
    text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  }
  return text +
         "\nbertha help COMMAND explains a command and its options. bertha --version names the "
         "build.\n";
}

/// A message as a terminal shows it: lines end between words, and the further ones stand below the
/// first word. A text of several lines stays as it is, and so does a command to be copied.
std::string for_terminal(std::string_view text, spdlog::level::level_enum level, int columns) {
  constexpr int kLeastColumns = 40;
  const bool keep = text.find('\n') != std::string_view::npos || text.starts_with("next: ");
  if (keep || columns < kLeastColumns) return std::string(text);
  const size_t prefix = spdlog::level::to_string_view(level).size() + 2;  // "info: "
  return wrap(text, prefix, static_cast<size_t>(columns));
}

/// Messages on standard error. The status line makes room for them.
class MessageSink : public spdlog::sinks::stderr_color_sink_mt {
 public:
  using ColorSink = spdlog::sinks::stderr_color_sink_mt;
  MessageSink(spdlog::color_mode mode, runlog::Terminal terminal)
      : ColorSink(mode), terminal_(std::move(terminal)) {}
  void log(const spdlog::details::log_msg& message) override {
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    const std::string_view text(message.payload.data(), message.payload.size());
    doctor::remember_message({level.data(), level.size()});
    doctor::remember_message(": ");
    doctor::remember_message(text);
    doctor::remember_message("\n");
    const std::string wrapped =
        terminal_.interactive ? for_terminal(text, message.level, terminal_.columns()) : "";
    spdlog::details::log_msg shown = message;
    if (terminal_.interactive) shown.payload = wrapped;
    runlog::print_above_status_line([&] { ColorSink::log(shown); });
  }

 private:
  runlog::Terminal terminal_;
};

/// Rank 0 speaks for all. The others report errors alone.
void log_to_stderr() {
  const runlog::Terminal terminal = runlog::stderr_terminal();
  auto sink = std::make_shared<MessageSink>(
      terminal.color ? spdlog::color_mode::always : spdlog::color_mode::never, terminal);
  auto logger = std::make_shared<spdlog::logger>("bertha", std::move(sink));
  logger->set_pattern("%^%l%$: %v");
  spdlog::set_default_logger(logger);
  if (comm::launched_rank() > 0) set_message_level("error");
}

/// The line for an error of the system that a library reports.
std::string line_of(const std::string& name, const std::system_error& error) {
  if (error.code() == std::errc::resource_unavailable_try_again) {
    return fmt::format("{}: cannot start a thread: {}; raise the limit of processes (ulimit -u)",
                       name, error.code().message());
  }
  // fmt writes to standard output alone.
  if (std::string_view(error.what()).starts_with("cannot write to file")) {
    return fmt::format("standard output: cannot write: {}", error.code().message());
  }
  return fmt::format("bertha {}: {}", name, error.what());
}

/// Runs `body`, the command `name`. Every exception, also one of a library, becomes one line and a
/// status. A request for help prints the page.
template <typename Body>
int run_guarded(const std::string& name, const Body& body) {
  try {
    return body();
  } catch (const HelpRequested& help) {
    std::fputs(help_text(help.page, help_width(), help.all).c_str(), stdout);
    return 0;
  } catch (const UsageError& error) {
    spdlog::error("{}", error.what());
    return 2;
  } catch (const Error& error) {
    spdlog::error("{}", error.what());
  } catch (const std::bad_alloc&) {
    say_out_of_memory();
  } catch (const std::system_error& error) {
    spdlog::error("{}", line_of(name, error));
  } catch (const std::exception& error) {
    spdlog::error("internal error in bertha {}: {}", name, error.what());
  }
  return 1;
}

/// Flushes standard output. If it cannot be written, the command has failed.
int flush_output(int status) {
  const bool flushed = std::fflush(stdout) == 0;
  const char* reason = flushed ? "a part of it is lost" : std::strerror(errno);
  if (flushed && std::ferror(stdout) == 0) return status;
  if (status == 0) spdlog::error("standard output: cannot write: {}", reason);
  return status == 0 ? 1 : status;
}

/// `bertha help`, or with the words of a command `bertha help COMMAND`.
int print_help(Arguments words) {
  if (words.empty()) {
    std::fputs(overview().c_str(), stdout);
  } else {
    std::fputs(help_text(page_of(words), help_width(), false).c_str(), stdout);
  }
  return 0;
}

bool is_version(const std::string& word) {
  return word == "--version" || word == "-V";
}

int run_words(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::fputs(overview().c_str(), stderr);
    return 2;
  }
  const std::string& first = words[0];
  const Arguments rest = Arguments(words).subspan(1);
  return run_guarded(first, [&] {
    if (first == "--help" || first == "-h" || first == "help") return print_help(rest);
    if (first == "version" || is_version(first) || (rest.size() == 1 && is_version(rest[0]))) {
      std::fputs(doctor::version_text(doctor::build_info()).c_str(), stdout);
      return 0;
    }
    const Command& command = find_command(first);
    // A wrong OMP_NUM_THREADS is an error before the command begins its work.
    default_thread_count();
    return command.run(rest);
  });
}

/// Fills closed standard streams. Otherwise the first file that a run opens would get the number of
/// standard output, and results would be written into it. Standard output becomes a stream that
/// cannot be written, so that flush_output() reports the loss.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1) continue;
    // The system gives the lowest free number, which is this one.
    if (::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY) != stream) ::_exit(1);
  }
}

}  // namespace

int run_program(int argc, char** argv) {
  open_standard_streams();
  prepare_last_resort(argc > 1 ? argv[1] : "bertha");
  try {
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    doctor::watch_for_crashes(words);
    log_to_stderr();
    return flush_output(run_words(words));
  } catch (const std::bad_alloc&) {
    say_out_of_memory();
    return 1;
  }
}

}  // namespace bertha::cli
