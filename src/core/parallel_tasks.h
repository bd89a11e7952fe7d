#pragma once

// Runs tasks of unequal length on plain threads; each thread takes the next index when it is free.
// The result of a task may depend on its index alone, so results do not depend on the number of
// threads. Loops of CPU ops use core/parallel_for.h instead, which splits into equal ranges.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/start_threads.h"

namespace bertha {

/// Calls body(index) for every index in [0, count) on up to `threads` threads, including the
/// caller's. After an exception no further index is started, and the first exception is rethrown
/// here.
template <typename Body>
void parallel_tasks(int64_t count, int64_t threads, const Body& body) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      for (int64_t index = next++; index < count; index = next++) body(index);
    } catch (...) {
      next = count;
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    start_threads(helpers, std::min(threads, count) - 1, work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bertha
