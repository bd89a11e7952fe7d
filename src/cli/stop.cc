#include "cli/stop.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <initializer_list>
#include <string_view>

#include "comm/launch.h"

namespace bertha::cli {

std::atomic<bool> stop_requested{false};

namespace {

constexpr std::string_view kAnswer = "stopping: the present batch ends first\n";
constexpr std::string_view kClearLine = "\r\x1b[K";

bool answers = false;
bool on_terminal = false;

/// Only what a signal handler may do.
void ask_to_stop(int) {
  if (stop_requested.exchange(true) || !answers) return;
  if (on_terminal) {
    [[maybe_unused]] const auto cleared =
        ::write(STDERR_FILENO, kClearLine.data(), kClearLine.size());
  }
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kAnswer.data(), kAnswer.size());
}

}  // namespace

void stop_on_signals() {
  answers = comm::launched_rank() == 0;
  on_terminal = ::isatty(STDERR_FILENO) == 1;
  struct sigaction action {};
  action.sa_handler = ask_to_stop;
  // Launchers and clusters ask twice, in two ways; a save must survive that.
  for (const int number : {SIGTERM, SIGUSR1}) sigaction(number, &action, nullptr);
  // A second Ctrl-C finds the default action and ends the program at once.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace bertha::cli
