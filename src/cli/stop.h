#pragma once

#include <atomic>

namespace bertha::cli {

constexpr int kExitStopped = 75;  ///< EX_TEMPFAIL: saved, start the same command again

/// Set by the signals of a request to end, from stop_on_signals() on.
extern std::atomic<bool> stop_requested;

/// Ctrl-C, SIGTERM and SIGUSR1 ask to end. The first one is answered with a line on standard error
/// at once (on rank 0 alone, where a launcher started ranks). A second Ctrl-C ends the program at
/// once.
void stop_on_signals();

}  // namespace bertha::cli
