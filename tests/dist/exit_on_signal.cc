// Preloaded into ranks by random_faults.sh: a signal has them call exit(7) in the middle of
// whatever they do, as a library that gives up would.

#include <signal.h>
#include <unistd.h>

namespace {

[[gnu::constructor]] void install() {
  struct sigaction action {};
  action.sa_handler = [](int) { _exit(7); };
  sigaction(SIGRTMIN, &action, nullptr);
}

}  // namespace
