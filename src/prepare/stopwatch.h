#pragma once

#include <chrono>

namespace bertha::prepare {

/// Measures how long a stage takes.
class Stopwatch {
 public:
  /// Seconds since the stopwatch was made.
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace bertha::prepare
