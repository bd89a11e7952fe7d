#pragma once

// Time as the records and displays of a run see it; tests hand in a clock of their own.

#include <chrono>
#include <functional>

namespace bertha::runlog {

using WallTime = std::chrono::system_clock::time_point;
using WallClock = std::function<WallTime()>;

/// The system's clock.
inline WallTime wall_now() {
  return std::chrono::system_clock::now();
}

}  // namespace bertha::runlog
