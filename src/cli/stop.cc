#include "cli/stop.h"

#include <csignal>
#include <initializer_list>

namespace bertha::cli {

std::atomic<bool> stop_requested{false};

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = true; };
  // Launchers and clusters ask twice, in two ways; a save must survive that.
  for (const int number : {SIGTERM, SIGUSR1}) sigaction(number, &action, nullptr);
  // A second Ctrl-C finds the default action and ends the program at once.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace bertha::cli
