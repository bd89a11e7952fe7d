#pragma once

// The time of a run's records and status lines. Tests pass a clock of their own.

#include <chrono>
#include <functional>

namespace bertha::runlog {

using WallTime = std::chrono::system_clock::time_point;
using WallClock = std::function<WallTime()>;
using SteadyTime = std::chrono::steady_clock::time_point;
using SteadyClock = std::function<SteadyTime()>;

inline WallTime wall_now() {
  return std::chrono::system_clock::now();
}

/// `Time` is a time point of any clock.
template <typename Time>
double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Seconds in whole microseconds: the resolution of Python's clocks, and so of the records that
/// Python programs write.
inline double microsecond_seconds(WallTime::duration duration) {
  using std::chrono::microseconds;
  return static_cast<double>(std::chrono::duration_cast<microseconds>(duration).count()) / 1e6;
}

}  // namespace bertha::runlog
